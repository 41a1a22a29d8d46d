// The newest pictures of the library, for a Draw page on which little or nothing was drawn lately.
import { get, net, reachable } from "./api.js";
import { html, useEffect, useState } from "./dom.js";
import { icon } from "./icons.js";
import { jobs } from "./jobs.js";
import { learn, nameOf, pictures } from "./pictures.js";
import { address, openPicture } from "./router.js";
import { useStore } from "./store.js";
import { Thumb } from "./thumb.js";
import { complain } from "./toast.js";

const SHOWN = 24;

/** Ids of the newest pictures that no drawing of the page shows; null until the server answers. */
export function useLatest() {
  const near = useStore(net, reachable);
  const shown = useStore(jobs, (state) => state.byId);
  const { byId, turn } = useStore(pictures);
  const [ids, setIds] = useState(null);
  useEffect(() => {
    if (!near) return undefined;
    let wanted = true;
    get(`/pictures?limit=${SHOWN}`)
      .then((page) => {
        if (!wanted) return;
        learn(page.pictures);
        setIds(page.pictures.map((picture) => picture.id));
      })
      .catch(complain);
    return () => {
      wanted = false;
    };
  }, [near, turn]);
  return ids && ids.filter((id) => !byId[id].trashed && !shown[byId[id].job]);
}

export function Latest({ ids }) {
  const { byId } = pictures.get();
  return html`
    <section class="latest" aria-labelledby="latest">
      <div class="row spread">
        <h2 id="latest">From your library</h2>
        <a class="button small" href=${address("history")}>${icon("images", 16)} All pictures</a>
      </div>
      <ul class="candidates many">
        ${ids.map(
          (id) => html`
            <li key=${id}>
              <div class="tile done ground-check">
                <${Thumb}
                  id=${id}
                  label=${nameOf(byId[id])}
                  title=${nameOf(byId[id])}
                  onClick=${() => openPicture(id, ids)}
                />
              </div>
            </li>
          `,
        )}
      </ul>
    </section>
  `;
}
