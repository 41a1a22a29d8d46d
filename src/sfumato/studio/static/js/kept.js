// The settings that the server keeps: the same on every device that draws with it.
import { call, get } from "./api.js";
import { makeLine, makeStore } from "./store.js";

/** `settings`: as the server last told them; null until it has. */
export const kept = makeStore({ settings: null });

const inLine = makeLine();

async function take(answer) {
  const settings = await answer;
  kept.set({ settings });
  return settings;
}

export const loadSettings = () => inLine(() => take(get("/settings")));

/** Change what is named; the rest stays as it is. */
export const changeSettings = (change) =>
  inLine(() => take(call("PATCH", "/settings", { body: change })));
