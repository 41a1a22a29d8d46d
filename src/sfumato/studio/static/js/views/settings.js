// What the prompt box begins with, how the page looks, who is serving it.
import { call, get, greet, net } from "../api.js";
import { html, useEffect, useState } from "../dom.js";
import { GROUNDS, MAX_COUNT, SHAPES, SIZES, resetOptions, shapeOf, sides } from "../draft.js";
import { icon } from "../icons.js";
import { remember, useStore } from "../store.js";
import { chooseTheme, theme } from "../themes.js";
import { complain, say } from "../toast.js";

const THEMES = [
  ["system", "System", "monitor"],
  ["light", "Light", "sun"],
  ["dark", "Dark", "moon"],
];

export function SettingsView() {
  const { about, models, online } = useStore(net);
  const { chosen } = useStore(theme);
  const [kept, setKept] = useState(null);
  useEffect(() => {
    get("/settings").then(setKept).catch(complain);
  }, [online]);
  return html`
    <div class="settings">
      <div class="title"><h1>Settings</h1></div>
      <section class="sheet">
        <h2>Looks</h2>
        <div class="row">
          <div class="segments" role="group" aria-label="Theme">
            ${THEMES.map(
              ([name, label, drawing]) => html`
                <button
                  key=${name}
                  aria-pressed=${String(chosen === name)}
                  onClick=${() => chooseTheme(name)}
                >
                  ${icon(drawing, 16)} ${label}
                </button>
              `,
            )}
          </div>
        </div>
      </section>
      ${
        kept &&
        html`
          <${Defaults}
            key=${JSON.stringify(kept)}
            kept=${kept}
            models=${models}
            onKept=${setKept}
          />
        `
      }
      <section class="sheet">
        <h2>This server</h2>
        ${
          about
            ? html`
                <dl>
                  <div>
                    <dt>Version</dt>
                    <dd>sfumato ${about.version}</dd>
                  </div>
                  <div>
                    <dt>Models</dt>
                    <dd>
                      ${(models?.models ?? []).map(
                        (model) => html`
                          <p key=${model.name}>
                            <strong>${model.name}</strong>
                            ${" "}${model.summary}
                          </p>
                        `,
                      )}
                    </dd>
                  </div>
                  <div>
                    <dt>Key</dt>
                    <dd>
                      ${about.auth === "key" ? "needed, and this browser has one" : "not needed: only this machine can connect"}
                    </dd>
                  </div>
                  <div>
                    <dt>For programs</dt>
                    <dd><a href="/api/docs">the API’s own page</a></dd>
                  </div>
                </dl>
              `
            : html`
                <p class="soft">It does not answer at the moment.</p>
              `
        }
        ${
          about?.auth === "key" &&
          html`
            <div class="row">
              <button class="button" onClick=${leave}>
                ${icon("lock", 16)} Forget the key in this browser
              </button>
            </div>
          `
        }
      </section>
    </div>
  `;
}

async function leave() {
  await call("DELETE", "/session").catch(complain);
  await greet().catch(() => {}); // it answers 401, and the page asks for a key
}

function Defaults({ kept, models, onKept }) {
  const [values, setValues] = useState({
    model: kept.model ?? "",
    style: kept.style ?? "",
    ground: kept.background ?? "",
    count: kept.num_images,
    shape: shapeOf(kept.width / kept.height),
    size: Math.max(kept.width, kept.height),
  });
  const set =
    (name, read = (text) => text) =>
    (event) =>
      setValues({ ...values, [name]: read(event.currentTarget.value) });
  const styles =
    (
      models?.models.find((model) => model.name === values.model) ??
      models?.models.find((model) => model.default)
    )?.styles ?? [];
  const save = async (event) => {
    event.preventDefault();
    const [width, height] = sides(values.shape, values.size);
    try {
      onKept(
        await call("PATCH", "/settings", {
          body: {
            model: values.model || null,
            style: values.style || null,
            background: values.ground || null,
            num_images: values.count,
            width,
            height,
          },
        }),
      );
      remember("defaults", values);
      resetOptions();
      say("New drawings begin with these.");
    } catch (problem) {
      complain(problem);
    }
  };
  const option = (value, label, current) => html`
    <option key=${value} value=${value} selected=${value === current}>${label}</option>
  `;
  return html`
    <form class="sheet" onSubmit=${save}>
      <h2>Every drawing begins with</h2>
      <div class="grid">
        <label class="field">
          <span>Model</span>
          <select value=${values.model} onChange=${set("model")}>
            ${option("", "The server’s own", values.model)}${(models?.models ?? []).map(({ name }) => option(name, name, values.model))}
          </select>
        </label>
        <label class="field">
          <span>Style</span>
          <select value=${values.style} onChange=${set("style")}>
            ${option("", "Any", values.style)}${styles.map((name) => option(name, name, values.style))}
          </select>
        </label>
        <label class="field">
          <span>Shape</span>
          <select value=${values.shape} onChange=${set("shape")}>
            ${SHAPES.map(([value, name]) => option(value, `${name} ${value}`, values.shape))}
          </select>
        </label>
        <label class="field">
          <span>Longer side</span>
          <select value=${values.size} onChange=${set("size", Number)}>
            ${SIZES.map((size) => option(size, `${size} px`, values.size))}
          </select>
        </label>
        <label class="field">
          <span>Ground</span>
          <select value=${values.ground} onChange=${set("ground")}>
            ${GROUNDS.map(([value, name]) => option(value, name, values.ground))}
          </select>
        </label>
        <label class="field">
          <span>Pictures</span>
          <select value=${values.count} onChange=${set("count", Number)}>
            ${Array.from({ length: MAX_COUNT }, (_, index) => option(index + 1, index + 1, values.count))}
          </select>
        </label>
      </div>
      <div class="row end"><button class="primary">Save</button></div>
    </form>
  `;
}
