// Light, dark, or as the system has it.
import { makeStore } from "./store.js";

const ORDER = ["system", "light", "dark"];

export const theme = makeStore({ chosen: "system" });

export const nextTheme = () => ORDER[(ORDER.indexOf(theme.get().chosen) + 1) % ORDER.length];

export function chooseTheme(name) {
  const chosen = ORDER.includes(name) ? name : "system";
  theme.set({ chosen });
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  try {
    localStorage.setItem("sfumato.theme", chosen); // plain text: theme.js reads it before all else
  } catch {
    // not kept, still chosen
  }
}

export function keptTheme() {
  try {
    return localStorage.getItem("sfumato.theme") ?? "system";
  } catch {
    return "system";
  }
}
