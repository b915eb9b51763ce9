// The audit log: who changed what, from where, before and after.

import {call} from '../api.js';
import {h} from '../dom.js';
import {badge, button, form, section, table, time} from '../parts.js';

const PAGE = 50;
const FIELDS = [['principal', 'Who'], ['method', 'Method'], ['resource', 'Resource']];

export async function load(_, query) {
  const filter = FIELDS.filter(([key]) => query.get(key))
    .map(([key]) => `${key} : ${JSON.stringify(query.get(key))}`).join(' AND ');
  const list = h('div');
  const showPage = async (pageToken) => {
    const page = await call('AuditLog', 'ListAuditEntries', {pageSize: PAGE, pageToken, filter});
    list.append(table(pageToken ? 'Older changes' : 'Changes, the newest first', [
      ['When', (one) => time(one.time)],
      ['Who', (one) => [one.principal, one.importedFrom ? [' ', badge('', 'imported')] : '']],
      ['From', (one) => one.peer || '–'],
      ['Method', (one) => one.method.split('.').pop()],
      ['What', (one) => one.changes.map((change) => showChange(one, change))],
      ['Revision', (one) => one.revision],
      ['Overrides', (one) => (one.overrides.length ? badge('warn', one.overrides.join(', ')) : '–')],
    ], page.auditEntries, 'Nothing that matches.'));
    if (page.nextPageToken) {
      const more = button('Older changes', async () => {
        more.remove();
        await showPage(page.nextPageToken);
      });
      list.append(more);
    }
  };
  await showPage('');
  return {title: 'Audit log',
    // What somebody reads does not move away; the page is loaded anew by hand.
    still: true,
    nodes: [
      section('Search', null, form(FIELDS.map(([name, label]) => ({name, label, value: query.get(name) || '', path: 'filter'})), {
        submit: 'Search', onSubmit: (v) => {
          const search = new URLSearchParams(Object.entries(v).filter(([, value]) => value));
          location.hash = `#/audit?${search}`;
        }})),
      section('Changes', null, list),
    ]};
}

function pretty(json) {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json;
  }
}

function showChange(entry, change) {
  const block = (label, json) => (json ? [h('p', {}, label), h('pre', {tabindex: 0, role: 'group', 'aria-label': `${label}: ${change.resource}`}, pretty(json))] : null);
  return h('details', {id: `change-${entry.name}-${change.resource}`.replaceAll(/[^A-Za-z0-9-]/g, '-')},
    h('summary', {}, change.resource), change.changedFields.length ? h('p', {}, 'Changed: ', h('code', {}, change.changedFields.join(', '))) : null,
    block('Before', change.beforeJson), block('After', change.afterJson));
}
