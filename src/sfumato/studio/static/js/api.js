// Every call to the server: errors in one form, and what the connection is like.
import { makeStore } from "./store.js";

const BASE = "/api/v1";

/** `online`: the server answers. `locked`: it wants a key. `about`, `models`: what it said. */
export const net = makeStore({ online: true, locked: false, about: null, models: null });

/** Whether asking makes sense: what failed is asked again when this comes true. */
export const reachable = ({ online, locked }) => online && !locked;

/** What went wrong, in the server's own words. */
export class Problem extends Error {
  constructor(status, { code = "unknown", message = "Something went wrong.", hint = "" } = {}) {
    super(message);
    Object.assign(this, { status, code, hint });
  }
}

const OFFLINE = {
  code: "offline",
  message: "The server does not answer.",
  hint: "Is “sfumato studio” still running? Nothing you typed is lost.",
};

/** Call a route. `body` is sent as JSON, `form` as multipart. Throws `Problem`. */
export async function call(method, path, { form, ...options } = {}) {
  if (form === undefined) return send(method, path, options);
  if (net.get().about === null) await greet(); // an upload needs the token
  try {
    return await send(method, path, { form, ...options });
  } catch (problem) {
    if (problem.status !== 403) throw problem;
    await greet(); // the server began anew, with another token
    return send(method, path, { form, ...options });
  }
}

async function send(method, path, { body, form, headers = {} }) {
  const options = { method, headers: { accept: "application/json", ...headers } };
  if (body !== undefined) {
    options.headers["content-type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  if (form !== undefined) options.body = form;
  const token = net.get().about?.csrf;
  if (token && method !== "GET") options.headers["x-csrf-token"] = token;
  let answer;
  try {
    answer = await fetch(BASE + path, options);
    if (answer.ok) return answer.status === 204 ? null : await readBody(answer);
  } catch {
    lost(); // before the answer, or in the middle of it
    throw new Problem(0, OFFLINE);
  }
  let told = {};
  try {
    told = (await answer.json()).error ?? {};
  } catch {
    told = { message: `The server answered ${answer.status}.` };
  }
  if (answer.status === 401) net.set({ locked: true });
  throw new Problem(answer.status, told);
}

async function readBody(answer) {
  const kind = answer.headers.get("content-type") ?? "";
  return kind.includes("json") ? answer.json() : answer.blob();
}

export const get = (path, options) => call("GET", path, options);
export const post = (path, body, options) => call("POST", path, { body, ...options });

/** Ask the server who it is and what it draws with. */
export async function greet() {
  const [about, models] = await Promise.all([get("/about"), get("/models")]);
  net.set({ about, models, locked: false });
}

/** Show a key; the server answers with a cookie, so that pictures load as well. */
export async function unlock(key) {
  await post("/session", { key });
  await greet();
}

let waiting = null;

/** The server is gone (answers still on their way prove nothing): look for it until it is back. */
function lost() {
  if (net.get().online) net.set({ online: false });
  if (waiting !== null) return;
  let pause = 1000;
  const knock = async () => {
    try {
      const answer = await fetch("/healthz", { cache: "no-store" });
      if (!answer.ok) throw new Error("not well");
      waiting = null;
      net.set({ online: true });
      if (net.get().models === null) await greet().catch(() => {});
    } catch {
      pause = Math.min(pause * 1.5, 8000);
      waiting = setTimeout(knock, pause);
    }
  };
  waiting = setTimeout(knock, pause);
}

const id = encodeURIComponent;

/** Addresses of a picture's files. */
export const urls = {
  thumbnail: (picture) => `${BASE}/pictures/${id(picture)}/thumbnail`,
  overlay: (picture) => `${BASE}/pictures/${id(picture)}/overlay`,
  file(picture, options = {}) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(options)) if (value) query.set(name, value);
    const text = query.toString();
    return `${BASE}/pictures/${id(picture)}/file${text ? `?${text}` : ""}`;
  },
  sheet: (sweep) => `${BASE}/sweeps/${id(sweep)}/sheet.png`,
  events: `${BASE}/events`,
};
