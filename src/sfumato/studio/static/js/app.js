// The shell: bar, views, layers above them, and what holds on every page.
import { greet, net, reachable, unlock } from "./api.js";
import { CompareDialog, CompareTray } from "./compare.js";
import { Field, Input, Notice } from "./controls.js";
import { Dialog } from "./dialog.js";
import { html, render, useEffect, useState } from "./dom.js";
import { adoptDefaults } from "./draft.js";
import { DropTarget, RecipeDialog, takeFiles } from "./drop.js";
import { icon } from "./icons.js";
import { follow, jobs } from "./jobs.js";
import { loadSettings } from "./kept.js";
import { ShortcutSheet, typing } from "./keys.js";
import { Lightbox } from "./lightbox.js";
import { address, go, route } from "./router.js";
import { useStore } from "./store.js";
import { THEMES, adoptTheme, chooseTheme, nextTheme, recallTheme, theme } from "./themes.js";
import { Toasts, complain, layers } from "./toast.js";
import { DrawView } from "./views/draw.js";
import { HistoryView } from "./views/history.js";
import { QueueView } from "./views/queue.js";
import { SettingsView } from "./views/settings.js";
import { SweepView } from "./views/sweep.js";

const VIEWS = {
  draw: { name: "Draw", icon: "brush", view: DrawView },
  history: { name: "History", icon: "images", view: HistoryView },
  sweep: { name: "Sweep", icon: "grid-2x2", view: SweepView },
  queue: { name: "Queue", icon: "list-todo", view: QueueView },
  settings: { name: "Settings", icon: "settings", view: SettingsView },
};
const LETTERS = { d: "draw", h: "history", s: "sweep", q: "queue", ",": "settings" };

function App() {
  const view = useStore(route, (state) => state.view);
  const { online, locked, about } = useStore(net);
  const near = useStore(net, reachable);
  const [help, setHelp] = useState(false);
  const Shown = VIEWS[view].view;

  useEffect(() => {
    scrollTo(0, 0);
    document.title = view === "draw" ? "sfumato" : `${VIEWS[view].name} · sfumato`;
  }, [view]);
  useEffect(() => {
    if (near) follow();
  }, [near]);
  useEffect(() => {
    if (near && about) settle();
  }, [near, about]);
  useEffect(() => {
    const onKey = (event) => {
      if (typing(event) || event.ctrlKey || event.metaKey || event.altKey || layers.get().open > 0)
        return;
      if (event.key === "?") setHelp(true);
      else if (event.key === "t") chooseTheme(nextTheme());
      else if (event.key === "/") focusWords();
      else if (LETTERS[event.key]) go(LETTERS[event.key]);
      else return;
      event.preventDefault();
    };
    const onPaste = (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length) takeFiles(files);
    };
    addEventListener("keydown", onKey);
    addEventListener("paste", onPaste);
    return () => {
      removeEventListener("keydown", onKey);
      removeEventListener("paste", onPaste);
    };
  }, []);

  return html`
    <a
      class="button skip"
      href="#main"
      onClick=${(event) => {
        event.preventDefault();
        document.getElementById("main").focus();
      }}
    >
      Skip to the content
    </a>
    <header class="bar">
      <a class="mark" href="#/" aria-label="sfumato, home">sfumato</a>
      <nav aria-label="Views">
        ${Object.entries(VIEWS).map(
          ([key, { name, icon: drawing }]) => html`
            <a key=${key} href=${address(key)} aria-current=${view === key ? "page" : undefined}>
              ${icon(drawing, 20)}
              <span>${name}</span>
              ${
                key === "queue" &&
                html`
                  <${Waiting} />
                `
              }
            </a>
          `,
        )}
      </nav>
      <div class="tools">
        <${ThemeButton} />
        <button
          class="icon"
          aria-label="Shortcuts"
          title="Shortcuts (?)"
          onClick=${() => setHelp(true)}
        >
          ${icon("keyboard")}
        </button>
      </div>
    </header>
    <div role="alert">
      ${
        !online &&
        html`
          <div class="banner">
            ${icon("wifi-off", 17)} The server does not answer. Looking for it; nothing you typed is
            lost.
          </div>
        `
      }
    </div>
    <main id="main" tabindex="-1"><${Shown} key=${view} /></main>
    <${CompareTray} />
    <${Lightbox} />
    <${CompareDialog} />
    <${RecipeDialog} />
    ${
      help &&
      html`
        <${ShortcutSheet} onClose=${() => setHelp(false)} />
      `
    }
    ${
      locked &&
      html`
        <${KeyDialog} />
      `
    }
    <${DropTarget} />
    <${Toasts} />
  `;
}

/** Begin as the person wants it, on whichever device that was said. */
async function settle() {
  try {
    const settings = await loadSettings();
    adoptTheme(settings.theme);
    adoptDefaults(settings);
  } catch (problem) {
    complain(problem);
  }
}

function focusWords() {
  const field = document.getElementById("search") ?? document.getElementById("prompt");
  if (field) field.focus();
  else {
    go("draw");
    setTimeout(() => document.getElementById("prompt")?.focus());
  }
}

function Waiting() {
  const count = useStore(
    jobs,
    ({ byId }) =>
      Object.values(byId).filter((job) => job.state === "queued" || job.state === "running").length,
  );
  return count > 0
    ? html`
        <span class="badge">
          ${count}
          <span class="unseen">unfinished</span>
        </span>
      `
    : null;
}

function ThemeButton() {
  const { chosen } = useStore(theme);
  const [, name, drawing] = THEMES.find(([known]) => known === chosen);
  return html`
    <button
      class="icon"
      aria-label=${`Theme: ${name}`}
      title=${`Theme: ${name} (T)`}
      onClick=${() => chooseTheme(nextTheme())}
    >
      ${icon(drawing)}
    </button>
  `;
}

function KeyDialog() {
  const [key, setKey] = useState("");
  const [problem, setProblem] = useState(null);
  const submit = async (event) => {
    event.preventDefault();
    try {
      await unlock(key.trim());
    } catch (refused) {
      setProblem(refused.status === 401 ? { message: "That key does not fit." } : refused);
    }
  };
  return html`
    <${Dialog} label="A key, please">
      <p class="soft">
        This server lets in only those who have a key. Its owner makes one with${" "}
        <code>sfumato keys add</code>
        .
      </p>
      <form class="keyform" onSubmit=${submit}>
        <${Field} name="Key">
          <${Input}
            type="password"
            autocomplete="current-password"
            required
            autofocus
            value=${key}
            onType=${setKey}
          />
        <//>
        ${
          problem &&
          html`
            <${Notice} problem=${problem} />
          `
        }
        <div class="row end"><button class="primary">Come in</button></div>
      </form>
    <//>
  `;
}

recallTheme();
render(
  html`
    <${App} />
  `,
  document.getElementById("app"),
);
greet().catch(() => {}); // the banner or the key dialog says what is the matter
