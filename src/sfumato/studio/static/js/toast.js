// Short messages at the foot of the page, read out, with at most one thing to do.
import { html } from "./dom.js";
import { icon } from "./icons.js";
import { makeStore, useStore } from "./store.js";

const SECONDS = 7;
let count = 0;

const toasts = makeStore({ shown: [], heard: "" });
/** Open dialogs: everything below them is inert, so the topmost shows the messages. */
export const layers = makeStore({ open: 0 });

/** Say something. `action`: { label, run } such as an undo. */
export function say(text, { action = null, kind = "note", hint = "" } = {}) {
  count += 1;
  const toast = { key: count, text, hint, action, kind };
  toasts.set((state) => ({ shown: [...state.shown.slice(-2), toast] }));
  setTimeout(() => dismiss(toast.key), (action || hint ? 1.6 : 1) * SECONDS * 1000);
}

/** Tell those who listen what others see happen on the page. */
export const announce = (heard) => toasts.set({ heard });

/** Say what went wrong, with its hint. */
export function complain(problem) {
  if (problem?.code === "offline" || problem?.status === 401) return; // the page says it already
  say(problem.message ?? String(problem), { kind: "error", hint: problem.hint });
}

const dismiss = (key) =>
  toasts.set((state) => ({ shown: state.shown.filter((t) => t.key !== key) }));

export function Toasts({ layer = 0 }) {
  const { shown, heard } = useStore(toasts);
  const open = useStore(layers, (state) => state.open);
  return html`
    <div class="toasts" role="status" aria-live="polite">
      <span class="unseen">${layer === open && heard}</span>
      ${
        layer === open &&
        shown.map(
          (toast) => html`
            <div class=${`toast ${toast.kind}`} key=${toast.key}>
              ${toast.kind === "error" && icon("circle-alert")}
              <p>
                ${toast.text}${
                  toast.hint &&
                  html`
                    <small>${toast.hint}</small>
                  `
                }
              </p>
              ${
                toast.action &&
                html`
                  <button
                    class="link"
                    onClick=${() => {
                      dismiss(toast.key);
                      toast.action.run();
                    }}
                  >
                    ${toast.action.label}
                  </button>
                `
              }
              <button class="icon" aria-label="Dismiss" onClick=${() => dismiss(toast.key)}>
                ${icon("x")}
              </button>
            </div>
          `,
        )
      }
    </div>
  `;
}
