// Search and filters of the history. All of it lives in the address, so a search can be bookmarked.
import { get, net, reachable } from "./api.js";
import { Field, Input, Segments, Select } from "./controls.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "./dom.js";
import { icon } from "./icons.js";
import { useStore } from "./store.js";
import { inWords } from "./wording.js";

const COLOURS = [
  ["red", "#c8372d"],
  ["orange", "#e58a2b"],
  ["yellow", "#eec643"],
  ["green", "#5b9a4a"],
  ["blue", "#3b76c4"],
  ["purple", "#7e57a8"],
  ["pink", "#e38aa8"],
  ["brown", "#83573a"],
  ["grey", "#8f8f8f"],
  ["black", "#1d1d1d"],
  ["white", "#ffffff"],
];
const DEFECT_NAMES = { none: "none found", any: "any at all" };
const KNOWN = [
  "q",
  "text",
  "like",
  "model",
  "colour",
  "finding",
  "favourite",
  "min_rating",
  "tag",
  "collection",
  "source",
  "after",
  "before",
  "trash",
];
const SEARCHES = [
  ["q", "Words"],
  ["text", "Looks"],
];
const DAYS = { after: 0, before: 1 }; // "until the 3rd" means all of the 3rd
const PAUSE = 250; // ms after the last letter

/** The server's query for a page of what the address asks for. */
export function queryFor(query, limit, cursor) {
  const asked = new URLSearchParams(query);
  const sent = new URLSearchParams({ limit });
  for (const name of KNOWN) {
    const value = asked.get(name);
    if (value) sent.set(name, name in DAYS ? midnight(value, DAYS[name]) : value);
  }
  if (cursor) sent.set("cursor", cursor);
  return sent;
}

/** The beginning of a day where the person is, `later` days on. What is no day is sent as it is. */
function midnight(day, later) {
  const moment = new Date(`${day}T00:00`);
  if (Number.isNaN(moment.getTime())) return day;
  moment.setDate(moment.getDate() + later);
  return moment.toISOString();
}

export const hasFilters = (query) =>
  [...new URLSearchParams(query).keys()].some((name) => name !== "trash");

export function Filters({ query, onChange }) {
  const asked = new URLSearchParams(query);
  const models = useStore(net, (state) => state.models);
  const near = useStore(net, reachable);
  const [open, setOpen] = useState(
    ["model", "colour", "finding", "min_rating", "tag", "collection", "after", "before"].some(
      (name) => asked.has(name),
    ),
  );
  const [labels, setLabels] = useState({ tags: [], collections: [] });
  useEffect(() => {
    if (!open || !near) return;
    Promise.all([get("/tags"), get("/collections")])
      .then(([tags, collections]) =>
        setLabels({ tags: Object.keys(tags), collections: Object.keys(collections) }),
      )
      .catch(() => {}); // the other filters work without
  }, [open, near]);

  const change = (name, value) => {
    const next = new URLSearchParams(query);
    if (value) next.set(name, value);
    else next.delete(name);
    onChange(next.toString());
  };
  const by = (name) => (value) => change(name, value);
  return html`
    <div class="filters" role="search">
      <div class="row">
        <${SearchBox} query=${query} onChange=${onChange} />
        <button
          class="pill"
          aria-pressed=${String(asked.has("favourite"))}
          onClick=${() => change("favourite", asked.has("favourite") ? "" : "1")}
        >
          ${icon("heart", 16)} Favourites
        </button>
        <button
          class="pill"
          aria-pressed=${String(asked.has("trash"))}
          onClick=${() => change("trash", asked.has("trash") ? "" : "1")}
        >
          ${icon("trash-2", 16)} Trash
        </button>
        <button
          class="pill"
          aria-expanded=${String(open)}
          aria-controls="filters"
          onClick=${() => setOpen(!open)}
        >
          ${icon("sliders-horizontal", 16)} Filters
        </button>
      </div>
      ${
        asked.has("like") &&
        html`
          <p class="like">
            <span class="tag">
              <span>Looks like one picture</span>
              <button aria-label="Look at everything again" onClick=${() => change("like", "")}>
                ${icon("x", 13)}
              </button>
            </span>
          </p>
        `
      }
      <div class="fold" id="filters" hidden=${!open}>
        <div class="colours" role="group" aria-label="Colour">
          ${COLOURS.map(
            ([name, shown]) => html`
              <button
                key=${name}
                class=${`dab dab-${name}`}
                style=${{ backgroundColor: shown }}
                title=${name}
                aria-label=${name}
                aria-pressed=${String(asked.get("colour") === name)}
                onClick=${() => change("colour", asked.get("colour") === name ? "" : name)}
              ></button>
            `,
          )}
        </div>
        <div class="grid">
          <${Pick}
            name="Model"
            value=${asked.get("model")}
            values=${(models?.models ?? []).map((model) => model.name)}
            onChange=${by("model")}
          />
          <${Pick}
            name="Defect"
            value=${asked.get("finding")}
            values=${[...Object.keys(DEFECT_NAMES), ...(models?.checks ?? []).map(({ name }) => name)]}
            shown=${(value) => DEFECT_NAMES[value] ?? inWords(value)}
            onChange=${by("finding")}
          />
          <${Pick}
            name="Rating"
            value=${asked.get("min_rating")}
            values=${["1", "2", "3", "4", "5"]}
            shown=${(value) => `${value} or more`}
            onChange=${by("min_rating")}
          />
          <${Pick}
            name="Tag"
            value=${asked.get("tag")}
            values=${labels.tags}
            onChange=${by("tag")}
          />
          <${Pick}
            name="Collection"
            value=${asked.get("collection")}
            values=${labels.collections}
            onChange=${by("collection")}
          />
          ${["after", "before"].map(
            (name) => html`
              <${Field} key=${name} name=${name === "after" ? "From" : "Until"}>
                <input
                  type="date"
                  value=${asked.get(name) ?? ""}
                  onChange=${(event) => change(name, event.currentTarget.value)}
                />
              <//>
            `,
          )}
        </div>
        ${
          hasFilters(query) &&
          html`
            <button class="link" onClick=${() => onChange(asked.has("trash") ? "trash=1" : "")}>
              Clear all
            </button>
          `
        }
      </div>
    </div>
  `;
}

function SearchBox({ query, onChange }) {
  const asked = searchOf(query);
  const [mode, setMode] = useState(asked.mode ?? "q");
  const [typed, setTyped] = useState(asked.words);
  const sent = useRef(asked.words);
  const latest = useRef(query);
  latest.current = query;
  useLayoutEffect(() => {
    if (asked.words === sent.current) return;
    sent.current = asked.words; // changed from elsewhere: another address, a filter cleared
    setTyped(asked.words);
    if (asked.mode) setMode(asked.mode);
  }, [query]);
  useEffect(() => {
    const search = () => {
      const words = typed.trim();
      const now = searchOf(latest.current); // other filters may have changed since the last letter
      if (words === now.words && (words === "" || mode === now.mode)) return;
      const next = new URLSearchParams(latest.current);
      for (const name of ["q", "text", "like"]) next.delete(name);
      if (words) next.set(mode, words);
      sent.current = words;
      onChange(next.toString());
    };
    const timer = setTimeout(search, PAUSE);
    return () => clearTimeout(timer);
  }, [typed, mode]);
  return html`
    <div class="search">
      ${icon("search", 17)}
      <${Input}
        id="search"
        type="search"
        maxlength="1000"
        value=${typed}
        aria-label=${mode === "q" ? "Search words and tags" : "Search by what pictures show"}
        placeholder=${mode === "q" ? "Words or tags" : "What it shows"}
        onType=${setTyped}
      />
      <${Segments} label="Search in" value=${mode} options=${SEARCHES} onChange=${setMode} />
    </div>
  `;
}

/** What the address searches for, and in what: nothing, words or looks. */
function searchOf(query) {
  const asked = new URLSearchParams(query);
  const mode = ["q", "text"].find((name) => asked.get(name)) ?? null;
  return { mode, words: mode ? asked.get(mode) : "" };
}

function Pick({ name, value, values, onChange, shown = inWords }) {
  const listed = value && !values.includes(value) ? [value, ...values] : values;
  return html`
    <${Field} name=${name}>
      <${Select}
        value=${value ?? ""}
        options=${[["", "Any"], ...listed.map((known) => [known, shown(known)])]}
        onChange=${onChange}
      />
    <//>
  `;
}
