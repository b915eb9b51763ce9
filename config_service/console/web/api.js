// Calls of the service. The cookie goes along by itself; the proof of the session
// is this page's own.

const PROOF = 'sallyport-proof';

export class ApiError extends Error {
  constructor(status, body) {
    super(body.message || 'the service did not answer');
    this.status = status;
    this.code = body.code || '';
    this.reason = body.reason || '';
    this.violations = body.violations || [];
    this.body = body;
  }
}

export const session = {principal: '', role: ''};
export const mayChange = () => session.role === 'operator' || session.role === 'admin';

// Is told when the session is over.
let onSignedOut = () => {};
export const whenSignedOut = (f) => { onSignedOut = f; };

// The newest revision that anything shown is of.
let seen = 0n;
export const seenRevision = () => String(seen);
export function see(revision) {
  if (revision && BigInt(revision) > seen) seen = BigInt(revision);
}

async function send(method, path, body, signal) {
  const headers = {'x-sallyport-console': '1'};
  const proof = localStorage.getItem(PROOF);
  if (proof) headers['x-sallyport-proof'] = proof;
  if (body !== undefined) headers['content-type'] = 'application/json';
  let answer;
  try {
    answer = await fetch(path, {
      method, headers, signal, cache: 'no-store', redirect: 'error', credentials: 'same-origin',
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(0, {code: 'UNAVAILABLE', message: 'the service cannot be reached'});
  }
  let json = {};
  try {
    json = await answer.json();
  } catch {
    // Not an answer of the console: a proxy's, say.
  }
  if (!answer.ok) throw new ApiError(answer.status, json);
  return json;
}

/** A method of the API: call('Truststores', 'GetTruststore', {name}). */
export async function call(service, method, body = {}) {
  try {
    const answer = await send('POST', `api/${service}/${method}`, body);
    see(answer.revision);
    return answer;
  } catch (error) {
    if (error.status === 401) onSignedOut();
    throw error;
  }
}

/** All items of a list, at most `most`. */
export async function listAll(service, method, field, body = {}, most = 1000) {
  const items = [];
  let pageToken = '';
  do {
    const page = await call(service, method, {...body, pageSize: Math.min(most, 200), pageToken});
    items.push(...page[field]);
    pageToken = page.nextPageToken;
  } while (pageToken && items.length < most);
  items.more = Boolean(pageToken);
  return items;
}

/** Whether somebody has signed in; else {signInWithoutToken}. */
export async function loadSession() {
  try {
    Object.assign(session, await send('GET', 'session'));
    return {signedIn: true};
  } catch (error) {
    if (error.status !== 401) throw error;
    return {signedIn: false, signInWithoutToken: error.body.signInWithoutToken};
  }
}

export async function signIn(token) {
  const answer = await send('POST', 'session', {token});
  localStorage.setItem(PROOF, answer.proof);
  session.principal = answer.principal;
  session.role = answer.role;
}

export async function signOut() {
  try {
    await send('DELETE', 'session');
  } finally {
    localStorage.removeItem(PROOF);
    session.principal = session.role = '';
  }
}

export async function waitForEvents(signal) {
  const answer = await send('POST', 'events', {afterRevision: seenRevision()}, signal);
  for (const event of answer.events) see(event.revision);
  return answer.events;
}
