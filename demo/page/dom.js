// Small help with elements. Text is always set as text, never as markup.

export const find = (selector, within = document) => within.querySelector(selector);

export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "class") made.className = value;
    else if (key === "data") Object.assign(made.dataset, value);
    else if (key in made && typeof value !== "string") made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function toast(text, kind = "note") {
  const shown = element("p", { class: `toast ${kind}` }, text);
  find("#toasts").append(shown);
  setTimeout(() => shown.remove(), kind === "note" ? 4500 : 9000);
  return shown;
}

// attempt tells the person when something did not work.
export async function attempt(work) {
  try {
    return await work();
  } catch (problem) {
    toast(problem.message, "problem");
    return undefined;
  }
}

export function duration(milliseconds) {
  return milliseconds < 1000 ? `${milliseconds} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}
