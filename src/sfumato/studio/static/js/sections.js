// Parts of a picture's panel: its report, its labels, its commands, its recipe.
import { net } from "./api.js";
import { copyText } from "./clipboard.js";
import { Input, Segments } from "./controls.js";
import { html, useState } from "./dom.js";
import { icon } from "./icons.js";
import { useStore } from "./store.js";
import { inWords } from "./wording.js";

export function Report({ picture, boxes, setBoxes }) {
  const { findings } = picture;
  const placed = findings.some((finding) => finding.box);
  return html`
    <section class="report">
      <div class="row spread">
        <h3>Report</h3>
        ${
          placed &&
          html`
            <button class="pill" aria-pressed=${String(boxes)} onClick=${() => setBoxes(!boxes)}>
              ${icon("scan-search", 15)} Show on picture
            </button>
          `
        }
      </div>
      ${
        findings.length === 0
          ? html`
              <p class="fine">${icon("check", 17)} Nothing was found wrong with it.</p>
            `
          : html`
              <ol>
                ${findings.map(
                  (finding, index) => html`
                    <li key=${index} class=${finding.severity}>
                      <b aria-hidden="true">${index + 1}</b>
                      <span>
                        ${finding.message}
                        <small>${inWords(finding.check)}, ${finding.severity}</small>
                      </span>
                    </li>
                  `,
                )}
              </ol>
            `
      }
    </section>
  `;
}

export function Labels({ name, values, onChange }) {
  const [typed, setTyped] = useState("");
  const add = (event) => {
    event.preventDefault();
    const label = typed.trim();
    setTyped("");
    if (label && !values.includes(label)) onChange([...values, label]);
  };
  return html`
    <form class="tags" onSubmit=${add}>
      ${values.map(
        (label) => html`
          <span class="tag" key=${label}>
            <span>${label}</span>
            <button
              type="button"
              aria-label=${`Remove ${name} ${label}`}
              onClick=${() => onChange(values.filter((other) => other !== label))}
            >
              ${icon("x", 13)}
            </button>
          </span>
        `,
      )}
      <${Input}
        maxlength="200"
        placeholder=${`Add a ${name}`}
        aria-label=${`Add a ${name}`}
        value=${typed}
        onType=${setTyped}
      />
    </form>
  `;
}

const LANGUAGES = [
  ["cli", "Command line"],
  ["python", "Python"],
  ["curl", "curl"],
];

export function Commands({ commands }) {
  const [shown, setShown] = useState("cli");
  const name = LANGUAGES.find(([key]) => key === shown)[1];
  const locked = useStore(net, (state) => state.about?.auth === "key");
  return html`
    <section>
      <h3>The same, elsewhere</h3>
      <div class="row spread">
        <${Segments} label="Where" value=${shown} options=${LANGUAGES} onChange=${setShown} />
        <button
          class="icon"
          aria-label=${`Copy as ${name}`}
          title="Copy"
          onClick=${() => copyText(commands[shown], name)}
        >
          ${icon("copy")}
        </button>
      </div>
      <pre class="code" tabindex="0" aria-label=${`As ${name}`}>${unbroken(commands[shown])}</pre>
      ${
        shown === "curl" &&
        locked &&
        html`
          <small>
            It takes your key from the shell:${" "}
            <code>export SFUMATO_KEY=…</code>
          </small>
        `
      }
    </section>
  `;
}

const PROGRAMS = { automatic1111: "AUTOMATIC1111", comfyui: "ComfyUI", invokeai: "InvokeAI" };
const HIDDEN = new Set(["schema", "fingerprint", "notes", "parts", "prompt", "device"]);

/** A recipe as a table, whichever program wrote it. Everything is text. */
export function Recipe({ plan, parameters, source }) {
  const rows = plan
    ? Object.entries(plan).filter(
        ([name, value]) =>
          !HIDDEN.has(name) &&
          value !== null &&
          value !== "" &&
          !(name === "variation_strength" && value === 0) &&
          !(Array.isArray(value) && value.length === 0),
      )
    : Object.entries(parameters ?? {});
  return html`
    <section class="recipe">
      <h3>Recipe</h3>
      ${
        source &&
        !["sfumato", "none"].includes(source) &&
        html`
          <p class="soft">Read from ${PROGRAMS[source] ?? source}.</p>
        `
      }
      ${
        rows.length === 0 &&
        html`
          <p class="soft">The file does not say how it was made.</p>
        `
      }
      ${
        plan?.parts?.length > 0 &&
        html`
          <${Layout} plan=${plan} />
        `
      }
      <dl>
        ${rows.map(
          ([name, value]) => html`
            <div key=${name}>
              <dt>${inWords(name)}</dt>
              <dd dir="auto">${shortly(name, value)}</dd>
            </div>
          `,
        )}
      </dl>
      ${
        plan?.notes?.length > 0 &&
        html`
          <ul class="notes">
            ${plan.notes.map(
              (note) => html`
                <li key=${note}>${note}</li>
              `,
            )}
          </ul>
        `
      }
    </section>
  `;
}

/** Where each thing of the picture lies, and what it is. */
function Layout({ plan }) {
  const { parts, width, height } = plan;
  return html`
    <div class="layout">
      <div class="plot" aria-hidden="true" style=${{ aspectRatio: `${width} / ${height}` }}>
        ${parts.map(({ boxes }, index) =>
          boxes.map(
            (box, copy) => html`
              <b key=${copy} style=${placeOf(box, { width: 1, height: 1 })}>${index + 1}</b>
            `,
          ),
        )}
      </div>
      <ol aria-label="Parts">
        ${parts.map(
          ({ subject, boxes, tint, tint_name: colour }, index) => html`
            <li key=${index}>
              ${boxes.length > 1 && `${boxes.length} × `}${subject}${
                tint &&
                html`
                  <small>${" "}${colour ?? tint}</small>
                `
              }
            </li>
          `,
        )}
      </ol>
    </div>
  `;
}

/** A box [left, top, right, bottom] inside a canvas of this size, as CSS. */
export function placeOf([left, top, right, bottom], { width, height }) {
  const share = (part, whole) => `${(100 * part) / whole}%`;
  return {
    left: share(left, width),
    top: share(top, height),
    width: share(right - left, width),
    height: share(bottom - top, height),
  };
}

/** Nobody reads 64 digits; who needs them finds them in the file. */
const shortly = (name, value) =>
  name === "model_sha256" ? `${String(value).slice(0, 12)}…` : asText(value);

/** A command whose options do not break after their dashes. */
const unbroken = (text) =>
  text.split(/(--[a-z-]+)/).map((piece, at) =>
    at % 2
      ? html`
          <span>${piece}</span>
        `
      : piece,
  );

/** A value of a recipe as words. */
function asText(value) {
  if (Array.isArray(value)) return value.map(asText).join(", ");
  if (value === null || typeof value !== "object") return String(value);
  return Object.entries(value)
    .filter(([, inner]) => inner !== null)
    .map(([name, inner]) => `${inWords(name)} ${asText(inner)}`)
    .join(", ");
}
