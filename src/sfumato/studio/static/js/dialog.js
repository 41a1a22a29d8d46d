// A native modal dialog: the browser keeps the focus inside and gives it back afterwards.
import { html, useLayoutEffect, useRef, useState } from "./dom.js";
import { icon } from "./icons.js";
import { Toasts, layers } from "./toast.js";

/** Without `onClose` it stays until what it asks for is given. */
export function Dialog({ label, onClose, children, bare = false, wide = false }) {
  const element = useRef();
  const [layer, setLayer] = useState(null);
  useLayoutEffect(() => {
    const dialog = element.current;
    layers.set((state) => ({ open: state.open + 1 }));
    setLayer(layers.get().open);
    dialog.showModal();
    return () => {
      layers.set((state) => ({ open: state.open - 1 }));
      if (dialog.open) dialog.close();
    };
  }, []);
  const onCancel = (event) => {
    event.preventDefault();
    onClose?.();
  };
  const onClick = (event) => {
    if (event.target === element.current) onClose?.(); // the veil around it
  };
  return html`
    <dialog
      ref=${element}
      class=${[bare ? "bare" : "", wide ? "wide" : ""].join(" ").trim()}
      aria-label=${label}
      onCancel=${onCancel}
      onMouseDown=${onClick}
    >
      ${
        bare
          ? children
          : html`
              <div class="inside">
                <div class="top">
                  <h2>${label}</h2>
                  ${
                    onClose &&
                    html`
                      <button class="icon" aria-label="Close" onClick=${onClose}>
                        ${icon("x")}
                      </button>
                    `
                  }
                </div>
                ${children}
              </div>
            `
      }
      <${Toasts} layer=${layer} />
    </dialog>
  `;
}
