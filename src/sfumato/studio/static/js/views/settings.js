// What the prompt box begins with, how the page looks, who is serving it.
import { call, greet, net, reachable } from "../api.js";
import { Field, Segments, Select } from "../controls.js";
import { html, useEffect, useState } from "../dom.js";
import { formatName } from "../download.js";
import { GROUNDS, MAX_COUNT, SHAPES, SIZES, optionsOf, resetOptions, sides } from "../draft.js";
import { icon } from "../icons.js";
import { changeSettings, kept, loadSettings } from "../kept.js";
import { remember, useStore } from "../store.js";
import { THEMES, chooseTheme, theme } from "../themes.js";
import { complain, say } from "../toast.js";

export function SettingsView() {
  const { about, models } = useStore(net);
  const near = useStore(net, reachable);
  const { chosen } = useStore(theme);
  const { settings } = useStore(kept);
  useEffect(() => {
    if (near) loadSettings().catch(complain); // another device may have changed them
  }, [near]);
  return html`
    <div class="settings">
      <div class="title"><h1>Settings</h1></div>
      <section class="sheet">
        <h2>Looks</h2>
        <div class="row">
          <${Segments} label="Theme" value=${chosen} options=${THEMES} onChange=${chooseTheme} />
        </div>
      </section>
      ${
        settings &&
        html`
          <${Downloads} format=${settings.format} formats=${models?.formats ?? []} />
          <${Defaults}
            options=${optionsOf(settings)}
            models=${models}
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

/** Values that are their own names. */
const twice = (values) => values.map((value) => [value, value]);

/** Kept as soon as it is chosen, as the theme is. */
function Downloads({ format, formats }) {
  return html`
    <section class="sheet">
      <h2>Downloads</h2>
      <div class="grid">
        <${Field} name="The Download button gives">
          <${Select}
            value=${format}
            options=${formats.map(({ name, summary }) => [name, formatName(name), summary])}
            onChange=${(chosen) => changeSettings({ format: chosen }).catch(complain)}
          />
        <//>
      </div>
      <p class="soft">
        Every picture’s panel has the other formats, too. A picture without paths comes as PNG where
        SVG or PDF is chosen.
      </p>
    </section>
  `;
}

function Defaults({ options, models }) {
  const [values, setValues] = useState(options);
  useEffect(() => setValues(options), [JSON.stringify(options)]);
  const set = (name) => (value) => setValues({ ...values, [name]: value });
  const styles =
    (
      models?.models.find((model) => model.name === values.model) ??
      models?.models.find((model) => model.default)
    )?.styles ?? [];
  const save = async (event) => {
    event.preventDefault();
    const [width, height] = sides(values.shape, values.size);
    try {
      await changeSettings({
        model: values.model || null,
        style: values.style || null,
        background: values.ground || null,
        num_images: values.count,
        width,
        height,
      });
      remember("defaults", values);
      resetOptions();
      say("New drawings begin with these.");
    } catch (problem) {
      complain(problem);
    }
  };
  const choices = [
    [
      "Model",
      "model",
      [["", "The server’s own"], ...twice((models?.models ?? []).map((m) => m.name))],
    ],
    ["Style", "style", [["", "Any"], ...twice(styles)]],
    ["Shape", "shape", SHAPES.map(([value, name]) => [value, `${name} ${value}`])],
    ["Longer side", "size", SIZES.map((size) => [size, `${size} px`])],
    ["Ground", "ground", GROUNDS],
    ["Pictures", "count", twice(Array.from({ length: MAX_COUNT }, (_, index) => index + 1))],
  ];
  return html`
    <form class="sheet" onSubmit=${save}>
      <h2>Every drawing begins with</h2>
      <div class="grid">
        ${choices.map(
          ([label, name, options]) => html`
            <${Field} key=${name} name=${label}>
              <${Select} value=${values[name]} options=${options} onChange=${set(name)} />
            <//>
          `,
        )}
      </div>
      <div class="row end"><button class="primary">Save</button></div>
    </form>
  `;
}
