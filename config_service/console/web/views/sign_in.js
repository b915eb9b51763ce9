// Signing in with a token of the service.

import {signIn} from '../api.js';
import {h} from '../dom.js';
import {form as makeForm} from '../parts.js';

export function form(withoutToken, then) {
  const enter = async (token) => {
    await signIn(token);
    await then();
  };
  return h('div', {class: 'signin'},
    h('h1', {tabindex: -1}, 'Sign in'),
    makeForm([{name: 'token', label: 'Token', type: 'password', required: true,
      help: 'One that the service knows (sallyportctl token NAME ROLE). It is sent to this service alone.'}],
    {submit: 'Sign in', onSubmit: (values) => enter(values.token.trim())}),
    withoutToken ? makeForm([], {submit: 'Continue without a token', onSubmit: () => enter(''),
      intro: h('p', {}, 'This service takes whoever reaches it on this machine for an admin.')}) : null);
}
