// The calls that act as a person on one side. Nothing here reaches the gateway.

let person = "";

export function actAs(login) {
  person = login;
}

async function call(method, path, body, query = {}) {
  const parameters = new URLSearchParams({ person, ...query });
  const response = await fetch(`/api/${path}?${parameters}`, {
    method,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error ?? `The demo answered ${response.status}.`);
  return answer;
}

const at = (side, id) => `${side}/events/${encodeURIComponent(id)}`;

export const state = () => call("GET", "state");
export const activity = () => call("GET", "activity");
export const mails = () => call("GET", "mails");
export const events = (side, from, to) =>
  call("GET", `${side}/events`, undefined, { from: from.toISOString(), to: to.toISOString() });
export const create = (side, edit) => call("POST", `${side}/events`, edit);
// scope is which occurrences of a series are meant: one, following or all.
export const update = (side, id, scope, edit) => call("PATCH", at(side, id), edit, { scope });
export const remove = (side, id, scope) => call("DELETE", at(side, id), undefined, { scope });
export const answer = (side, id, scope, reply) => call("POST", `${at(side, id)}/answer`, { answer: reply }, { scope });
export const archive = (id, archived) => call("POST", `${at("nightpos", id)}/archive`, { archived });
export const preset = (name, from) => call("POST", `presets/${name}/run`, { from: from.toISOString() });
