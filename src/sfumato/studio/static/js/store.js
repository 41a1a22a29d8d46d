// A value that views can watch, and values that outlive a reload.
import { useLayoutEffect, useRef, useState } from "./dom.js";

/** A store: `get()`, `set(patch or state => patch)`, `subscribe(listener) -> stop`. */
export function makeStore(initial) {
  let state = initial;
  const listeners = new Set();
  return {
    get: () => state,
    set(patch) {
      state = { ...state, ...(typeof patch === "function" ? patch(state) : patch) };
      for (const listener of [...listeners]) listener();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** A line in which tasks wait for one another: no answer overtakes a newer one. */
export function makeLine() {
  let last = Promise.resolve();
  return (task) => (last = last.then(task, task));
}

/** Draw again whenever `pick(state)` is another value. */
export function useStore(store, pick = (state) => state) {
  const [, redraw] = useState(0);
  const picker = useRef(pick);
  const shown = useRef();
  picker.current = pick;
  shown.current = pick(store.get());
  useLayoutEffect(() => {
    const look = () => {
      if (picker.current(store.get()) !== shown.current) redraw((n) => n + 1);
    };
    look(); // it may have changed between drawing and subscribing
    return store.subscribe(look);
  }, [store]);
  return shown.current;
}

/** Read a value that an earlier visit kept; `fallback` where there is none. */
export function recall(name, fallback) {
  try {
    const kept = localStorage.getItem(`sfumato.${name}`);
    return kept === null ? fallback : JSON.parse(kept);
  } catch {
    return fallback; // forbidden, or not what we wrote
  }
}

/** Keep a value for later visits; a page that may not store simply forgets. */
export function remember(name, value) {
  try {
    localStorage.setItem(`sfumato.${name}`, JSON.stringify(value));
  } catch {
    // private window or full: nothing else depends on it
  }
}
