// Light, dark, or as the system has it: kept by the server, and here for the first paint.
import { changeSettings } from "./kept.js";
import { makeStore } from "./store.js";
import { complain } from "./toast.js";

/** The server's names for them, what they are called, their icons. */
export const THEMES = [
  ["auto", "System", "monitor"],
  ["light", "Light", "sun"],
  ["dark", "Dark", "moon"],
];

export const theme = makeStore({ chosen: "auto" });

let untold = false; // a choice that the server has not heard of yet

export function nextTheme() {
  const at = THEMES.findIndex(([name]) => name === theme.get().chosen);
  return THEMES[(at + 1) % THEMES.length][0];
}

/** The person's choice: shown at once, then told to the server. */
export function chooseTheme(name) {
  show(name);
  untold = true;
  tell();
}

/** What the server keeps holds, unless it has yet to hear what was chosen here. */
export function adoptTheme(name) {
  if (untold) tell();
  else show(name);
}

/** What this browser showed last, until the server answers. */
export function recallTheme() {
  try {
    show(localStorage.getItem("sfumato.theme"));
  } catch {
    show("auto"); // storage is forbidden
  }
}

async function tell() {
  const { chosen } = theme.get();
  try {
    await changeSettings({ theme: chosen });
    if (theme.get().chosen === chosen) untold = false;
  } catch (problem) {
    if (problem.code === "offline" || problem.status === 401) return; // told when it is back
    untold = false;
    complain(problem);
  }
}

function show(name) {
  const chosen = THEMES.some(([known]) => known === name) ? name : "auto";
  theme.set({ chosen });
  if (chosen === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  try {
    localStorage.setItem("sfumato.theme", chosen); // plain text: theme.js reads it before all else
  } catch {
    // not kept here, still chosen
  }
}
