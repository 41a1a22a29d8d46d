// Everything that was ever drawn or kept, however much that is.
import { get, net, post, reachable } from "../api.js";
import { Empty, Notice } from "../controls.js";
import { html, useEffect, useRef, useState } from "../dom.js";
import { ChooseFile } from "../drop.js";
import { Filters, hasFilters, queryFor } from "../filters.js";
import { icon } from "../icons.js";
import { discard, learn, pictures, purge, bringBack } from "../pictures.js";
import { compareNow } from "../compare.js";
import { Dialog } from "../dialog.js";
import { refine, route } from "../router.js";
import { useStore } from "../store.js";
import { complain, say } from "../toast.js";
import { Wall } from "../wall.js";
import { count } from "../wording.js";

const PAGE = 200; // the most the server gives at once

export function HistoryView() {
  const query = useStore(route, (state) => state.query);
  const { byId, turn } = useStore(pictures);
  const near = useStore(net, reachable);
  const [list, setList] = useState({ ids: [], next: null, total: null, query: null });
  const [problem, setProblem] = useState(null);
  const [chosen, setChosen] = useState(null); // a Set while pictures are being picked
  const loading = useRef(null);
  const trash = new URLSearchParams(query).has("trash");

  const load = async (cursor) => {
    const token = {};
    loading.current = token;
    try {
      const page = await get(`/pictures?${queryFor(query, PAGE, cursor)}`);
      if (loading.current !== token) return; // the filters changed meanwhile
      learn(page.pictures);
      const ids = page.pictures.map((picture) => picture.id);
      setList((old) => {
        if (!cursor) return { ids, next: page.next, total: page.total, query };
        old.ids.push(...ids); // a copy of 100,000 for every page would be felt
        return { ...old, next: page.next };
      });
      setProblem(null);
    } catch (failed) {
      if (loading.current === token) setProblem(failed);
    }
    if (loading.current === token) loading.current = null;
  };
  useEffect(() => {
    load(null);
    return () => {
      loading.current = null;
    };
  }, [query, turn]);
  const goOn = () => load(list.query === query ? list.next : null);
  useEffect(() => {
    if (near && problem) goOn(); // where it broke off; what is there stays
  }, [near]);
  const onEnd = () => {
    // what has failed is not asked again at every turn of the wheel
    if (list.next && list.query === query && loading.current === null && !problem) goOn();
  };
  useEffect(() => {
    setChosen(null); // what is picked in the trash has other ways to go
  }, [trash]);

  const toggle = (id) =>
    setChosen((old) => {
      const now = new Set(old);
      if (!now.delete(id)) now.add(id);
      return now;
    });
  const ids = list.ids.filter((id) => byId[id].trashed === trash);
  const total = list.total === null ? null : list.total - (list.ids.length - ids.length);
  const empty = list.query !== null && ids.length === 0 && list.next === null && !problem;
  return html`
    <div class="title">
      <h1>${trash ? "Trash" : "History"}</h1>
      <div class="row">
        ${
          !trash &&
          html`
            <${ChooseFile} label="Bring pictures in" />
          `
        }
        ${
          ids.length > 0 &&
          html`
            <button
              class="button small"
              aria-pressed=${String(chosen !== null)}
              onClick=${() => setChosen(chosen ? null : new Set())}
            >
              ${icon("check", 16)} ${chosen ? "Done" : "Pick"}
            </button>
          `
        }
      </div>
    </div>
    <${Filters} query=${query} onChange=${refine} />
    <p class="count soft" role="status">
      ${total === null || empty ? "" : count(total, "picture")}
    </p>
    ${
      problem &&
      !["offline", "unauthorized"].includes(problem.code) &&
      html`
        <${Notice} problem=${problem}>
          <span class="row">
            <button class="button small" onClick=${goOn}>
              ${icon("rotate-ccw", 15)} Try again
            </button>
          </span>
        <//>
      `
    }
    ${
      empty &&
      html`
        <${Nothing} query=${query} trash=${trash} />
      `
    }
    <${Wall}
      ids=${ids}
      total=${total}
      more=${list.next !== null}
      onEnd=${onEnd}
      chosen=${chosen}
      onChoose=${toggle}
    />
    ${
      chosen &&
      html`
        <${Picked}
          ids=${[...chosen]}
          trash=${trash}
          onAll=${() => setChosen(new Set(ids))}
          onDone=${() => setChosen(null)}
        />
      `
    }
  `;
}

function Nothing({ query, trash }) {
  if (trash)
    return html`
      <${Empty}
        drawing="trash-2"
        title="The trash is empty"
        text="Pictures that you throw away wait here until you delete them for good."
      />
    `;
  if (hasFilters(query))
    return html`
      <${Empty}
        drawing="search"
        title="Nothing fits"
        text="Fewer words or fewer filters find more."
      >
        <button class="button" onClick=${() => refine("")}>Show everything</button>
      <//>
    `;
  return html`
    <${Empty}
      drawing="images"
      title="No pictures yet"
      text="Whatever you draw is kept here, with the recipe that draws it again."
    >
      <a class="button" href="#/">Draw the first one</a>
    <//>
  `;
}

function Picked({ ids, trash, onAll, onDone }) {
  const [asking, setAsking] = useState(false);
  const away = async () => {
    onDone();
    await discard(ids);
  };
  const forGood = async () => {
    onDone();
    await purge(ids).catch(complain);
  };
  const zip = async () => {
    try {
      const blob = await post("/export", { ids });
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = "sfumato.zip";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
      say(`${count(ids.length, "picture")} exported.`);
    } catch (problem) {
      complain(problem);
    }
  };
  return html`
    <div class="tray" role="region" aria-label="Picked pictures">
      <span role="status">${ids.length} picked</span>
      <button class="button small" aria-label="All that are shown" onClick=${onAll}>All</button>
      ${
        trash
          ? html`
              <button
                class="button small"
                disabled=${!ids.length}
                onClick=${() => bringBack(ids).then(onDone, complain)}
              >
                ${icon("undo-2", 16)} Restore
              </button>
              <button
                class="button small danger"
                disabled=${!ids.length}
                onClick=${() => setAsking(true)}
              >
                Delete for good
              </button>
            `
          : html`
              <button class="button small" disabled=${ids.length !== 2} onClick=${() => compareNow(ids)}>
                ${icon("columns-2", 16)} Compare
              </button>
              <button class="button small" disabled=${!ids.length} onClick=${zip}>
                ${icon("download", 16)} Zip
              </button>
              <button
                class="icon"
                disabled=${!ids.length}
                aria-label="Move to the trash"
                title="Move to the trash"
                onClick=${away}
              >
                ${icon("trash-2")}
              </button>
            `
      }
      <button class="icon" aria-label="Stop picking" onClick=${onDone}>${icon("x")}</button>
      ${
        asking &&
        html`
          <${Dialog}
            label=${ids.length === 1 ? "Delete this picture for good?" : `Delete ${count(ids.length, "picture")} for good?`}
            onClose=${() => setAsking(false)}
          >
            <p class="soft">The file and its recipe are deleted. This cannot be undone.</p>
            <div class="row end">
              <button class="button" onClick=${() => setAsking(false)}>Keep</button>
              <button class="button danger" onClick=${forGood}>Delete for good</button>
            </div>
          <//>
        `
      }
    </div>
  `;
}
