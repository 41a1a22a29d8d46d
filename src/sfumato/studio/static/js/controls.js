// Controls and messages that every view shares; their looks are in css/controls.css.
import { html } from "./dom.js";
import { icon } from "./icons.js";

/** A field under its name. */
export function Field({ name, wide = false, children }) {
  return html`
    <label class=${wide ? "field wide" : "field"}>
      <span>${name}</span>
      ${children}
    </label>
  `;
}

/** A field to type in; `onType` is told the text. */
export function Input({ type = "text", onType, ...rest }) {
  return html`
    <input type=${type} onInput=${(event) => onType(event.currentTarget.value)} ...${rest} />
  `;
}

/** A list to pick from. `options`: [value, label, title]. A value that is not among them is kept. */
export function Select({ value, options, onChange }) {
  const known = options.some(([listed]) => listed === value);
  const listed = known ? options : [...options, [value, String(value)]];
  return html`
    <select
      value=${value}
      onChange=${(event) => onChange(listed[event.currentTarget.selectedIndex][0])}
    >
      ${listed.map(
        ([one, label, title]) => html`
          <option key=${one} value=${one} title=${title} selected=${one === value}>${label}</option>
        `,
      )}
    </select>
  `;
}

/** A few choices, all in sight. `options`: [value, label, icon]. */
export function Segments({ label, value, options, onChange }) {
  return html`
    <div class="segments" role="group" aria-label=${label}>
      ${options.map(
        ([one, name, drawing]) => html`
          <button
            key=${one}
            type="button"
            aria-pressed=${String(one === value)}
            onClick=${() => onChange(one)}
          >
            ${drawing && icon(drawing, 16)} ${name}
          </button>
        `,
      )}
    </div>
  `;
}

/** Stop what is under way. `of`: its words, where several stand below one another. */
export function StopButton({ of, stopping = false, onStop }) {
  const name = stopping ? "Stopping" : "Stop";
  return html`
    <button
      class="button small"
      disabled=${stopping}
      aria-label=${of && `${name} “${of}”`}
      onClick=${onStop}
    >
      ${icon("circle-stop", 16)} ${stopping ? `${name}…` : name}
    </button>
  `;
}

/** What went wrong and what to do about it; `children` are the things that can be done here. */
export function Notice({ problem, drawing = "circle-alert", children }) {
  return html`
    <div class="notice bad" role="alert">
      ${icon(drawing)}
      <p>
        <strong>${problem.message}</strong>
        ${
          problem.hint &&
          html`
            <span>${problem.hint}</span>
          `
        }
        ${children}
      </p>
    </div>
  `;
}

/** Nothing is here: why, and the way on. */
export function Empty({ drawing, title, text, children }) {
  return html`
    <div class="empty">
      ${icon(drawing, 40)}
      <h2>${title}</h2>
      <p class="soft">${text}</p>
      ${children}
    </div>
  `;
}

/** How far something is, as a bar and in words. */
export function Progress({ label, value, max = 1, told }) {
  return html`
    <div class="status">
      <progress max=${max} value=${value} aria-label=${label}></progress>
      ${
        told &&
        html`
          <small>${told}</small>
        `
      }
    </div>
  `;
}
