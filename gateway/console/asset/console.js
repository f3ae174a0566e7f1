// Tells the browser's time zone where NightPOS has not, and copies what is to be
// copied. Everything else works without it.
const body = document.body;

if (body.dataset.zone) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone) {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `${body.dataset.zone}=${encodeURIComponent(zone)}; Path=/; SameSite=Lax; Max-Age=31536000${secure}`;
  }
}

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
    const text = button.textContent;
    button.textContent = body.dataset.copied;
    setTimeout(() => { button.textContent = text; }, 2000);
  });
}
