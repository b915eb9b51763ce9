// Starts the console: who has signed in, which view the address names, and what is
// new.

import {loadSession, session, signOut, whenSignedOut} from './api.js';
import {add, announce, h} from './dom.js';
import * as live from './live.js';
import {errorBox} from './parts.js';
import {startTheme} from './theme.js';
import * as apiView from './views/api.js';
import * as apis from './views/apis.js';
import * as audit from './views/audit.js';
import * as clientCertificates from './views/client_certificates.js';
import * as domain from './views/domain.js';
import * as domains from './views/domains.js';
import * as expiry from './views/expiry.js';
import * as fleets from './views/fleets.js';
import * as overview from './views/overview.js';
import * as refusals from './views/refusals.js';
import * as signIn from './views/sign_in.js';
import * as truststore from './views/truststore.js';
import * as truststores from './views/truststores.js';

// A view is load(parts, query) -> {title, nodes, watches, still}: what to show, and
// the beginnings of names whose changes concern it; or that it stays as it is.
const VIEWS = [
  [/^$/, overview],
  [/^domains$/, domains],
  [/^domains\/([^/]+)$/, domain],
  [/^truststores$/, truststores],
  [/^truststores\/([^/]+)$/, truststore],
  [/^client-certificates(?:\/([^/]+))?$/, clientCertificates],
  [/^apis$/, apis],
  [/^apis\/([^/]+)$/, apiView],
  [/^fleets(?:\/([^/]+))?$/, fleets],
  [/^refusals$/, refusals],
  [/^expiry$/, expiry],
  [/^audit$/, audit],
];
const NAVIGATION = [
  ['', 'Overview'],
  ['domains', 'Custom domain names'],
  ['truststores', 'Truststores'],
  ['apis', 'APIs'],
  ['client-certificates', 'Client certificates'],
  ['fleets', 'Fleets'],
  ['refusals', 'Refusals'],
  ['expiry', 'Expiry'],
  ['audit', 'Audit log'],
];

const main = document.getElementById('main');
let shown = {watches: []};
let number = 0;  // of the last load: an older one that ends later is not shown
let opening = 0;  // that of a view that somebody asked for and does not see yet

function address() {
  const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  return {path, query: new URLSearchParams(query)};
}

function showNavigation(path) {
  const nav = document.getElementById('nav');
  nav.hidden = !session.principal;
  nav.replaceChildren(h('ul', {}, NAVIGATION.map(([to, text]) => {
    const current = to === '' ? path === '' : path === to || path.startsWith(to + '/');
    return h('li', {}, h('a', {href: '#/' + to, 'aria-current': current ? 'page' : null}, text));
  })));
  document.getElementById('who').replaceChildren(...(session.principal ? [
    h('span', {}, `${session.principal} (${session.role})`),
    h('button', {type: 'button', id: 'sign-out', onclick: leave}, 'Sign out'),
  ] : []));
}

async function leave() {
  live.stop();
  await signOut().catch(() => {});
  announce('Signed out.');
  await begin();
}

// `quietly`: the same view again, with what is new; focus stays where it is.
async function show(quietly = false) {
  if (quietly && opening) return;
  const mine = ++number;
  if (!quietly) opening = mine;
  const {path, query} = address();
  const [match, view] = VIEWS.reduce(
    (found, [pattern, one]) => found || (pattern.test(path) ? [pattern.exec(path), one] : null),
    null) || [null, null];
  let result;
  try {
    result = view
      ? await view.load(match.slice(1).map((part) => part && decodeURIComponent(part)), query)
      : {title: 'Not found', nodes: [h('p', {}, 'The console has no such page.')]};
  } catch (error) {
    if (opening === mine) opening = 0;
    if (quietly || error.status === 401) return;
    result = {title: 'Something went wrong', nodes: [errorBox(error)]};
  }
  if (opening === mine) opening = 0;
  if (mine !== number) return;
  if (quietly && busy()) return;
  const focused = main.contains(document.activeElement) ? document.activeElement.id : '';
  const open = [...main.querySelectorAll('details[open][id]')].map((one) => one.id);
  shown = {watches: [], ...result};
  document.title = `${result.title} – Sallyport`;
  const heading = h('h1', {tabindex: -1}, result.title);
  main.replaceChildren();
  add(main, [result.trail, heading, result.nodes]);
  main.removeAttribute('aria-busy');
  showNavigation(path);
  if (quietly) {
    for (const id of open) document.getElementById(id)?.setAttribute('open', '');
    if (focused) document.getElementById(focused)?.focus({preventScroll: true});
  } else {
    heading.focus();
    window.scrollTo(0, 0);
  }
}

// Somebody is writing: nothing under their hands is replaced.
const busy = () => Boolean(document.querySelector('dialog[open], form[data-dirty], form[aria-busy]') ||
  document.activeElement?.closest('main form'));

/** For views: shows the view again after a change. */
document.addEventListener('sallyport:changed', () => show(true));

function tell(names) {
  if (shown.still || busy()) return;
  const concerns = names === null || !shown.watches.length ||
    names.some((name) => shown.watches.some((begin) => name.startsWith(begin)));
  if (concerns) show(true);
}

function showSignIn(withoutToken) {
  ++number;
  opening = 0;
  for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close();
  showNavigation('');
  document.title = 'Sign in – Sallyport';
  main.replaceChildren(signIn.form(withoutToken, begin));
  main.querySelector('input')?.focus();
}

async function begin() {
  live.stop();
  let state;
  try {
    state = await loadSession();
  } catch (error) {
    main.replaceChildren(h('h1', {}, 'Sallyport'), errorBox(error));
    return;
  }
  if (!state.signedIn) {
    session.principal = session.role = '';
    showSignIn(state.signInWithoutToken);
    return;
  }
  await show();
  live.start(tell);
}

whenSignedOut(() => {
  if (session.principal) {
    announce('The session is over. Sign in again.');
    begin();
  }
});
window.addEventListener('hashchange', () => {
  if (session.principal) show();
});
// The fragment is the console's own: the link moves the focus alone.
document.getElementById('skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});
startTheme();
begin();
