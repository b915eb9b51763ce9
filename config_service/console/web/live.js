// News: what changes while a view is shown. One request waits for events; when
// it may not (too many pages wait), or the service is away, it looks again later.

import {waitForEvents} from './api.js';

const PAUSE = 5000;
const LONG_PAUSE = 20000;

let running = null;

/** Calls `tell` with the names of what changed; null: nobody knows what. */
export function start(tell) {
  stop();
  const control = running = new AbortController();
  const pause = (time) => new Promise((resolve) => {
    const timer = setTimeout(resolve, time);
    control.signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); });
  });
  (async () => {
    let missed = false;
    while (!control.signal.aborted) {
      if (document.hidden) {
        await pause(PAUSE);
        missed = true;
        continue;
      }
      try {
        if (missed) tell(null);
        missed = false;
        const events = await waitForEvents(control.signal);
        const names = events.map(nameOf).filter(Boolean);
        // Events of nodes between two requests are lost, so look in any case.
        tell(names.length ? names : null);
      } catch (error) {
        if (control.signal.aborted || error.status === 401) return;
        missed = true;
        await pause(error.status === 429 ? LONG_PAUSE : PAUSE);
      }
    }
  })();
}

export function stop() {
  if (running) running.abort();
  running = null;
}

function nameOf(event) {
  const what = event.resourceChanged || event.conditionChanged || event.warningAdded;
  if (what) return what.resource;
  const node = event.nodeConnection || event.nodeAcknowledged || event.nodeRefused;
  return node ? node.node : '';
}
