import type { RedisOptions } from 'ioredis';

/** The options in a URL, or what is wrong with it. The problem shows no part of the URL that may be secret. */
export type ReadUrl =
  | { readonly problem: string }
  | { readonly options: RedisOptions; readonly query: Readonly<Record<string, string>> };

const MUST = 'must be a redis:// or rediss:// URL';
const ENCODE = 'percent-encode user name and password with encodeURIComponent()';
const SOCKET = "pass a Unix socket as { path: '/…/redis.sock' }";
/** Schemes that people use by mistake. They are no secret, so messages show them. */
const OTHER_SCHEMES =
  /^(https?|wss?|tcp|tls|ssl|amqps?|postgres(ql)?|mysql|mongodb(\+srv)?|memcached?):\/\//i;
const SCHEME = /^(redis|valkey)(s?):\/\//i;

/**
 * Reads a URL. ioredis accepts any text (`''` means localhost, `http://…` becomes a socket path), and the errors of
 * `new URL` contain the whole text with its password, so neither is used alone.
 */
export function readUrl(given: string): ReadUrl {
  const scheme = SCHEME.exec(given);
  if (!scheme) return { problem: problemOf(given) };
  // `new URL` silently removes tabs and line breaks.
  // eslint-disable-next-line no-control-regex
  if (/[\s\u0000-\u001f]/.test(given)) {
    return {
      problem: `${MUST}, and contains a blank or a line break: trim() it, and ${ENCODE}`,
    };
  }
  const rest = given.slice(scheme[0].length);
  const authority = /^[^/?#]*/.exec(rest)?.[0] ?? '';
  if (rest.includes('#') || rest.slice(authority.length).includes('@')) {
    return {
      problem: `has a password that contains "/", "?", "#" or "@", which end a part of a URL: ${ENCODE}`,
    };
  }
  try {
    return partsOf(new URL(`redis://${rest}`), scheme[2] !== '');
  } catch {
    return { problem: `${MUST} and cannot be read: check host and port, and ${ENCODE}` };
  }
}

function problemOf(given: string): string {
  const trimmed = given.trim();
  if (trimmed === '') return `${MUST}, and is empty (is the environment variable set?)`;
  if (SCHEME.test(trimmed)) return `${MUST}, and begins with a blank or a line break: trim() it`;
  if (/^["'`]/.test(trimmed)) return `${MUST}, and begins with a quotation mark: remove the quotes`;
  if (/^(unix:|redis\+(unix|socket):|\.{0,2}\/)/i.test(trimmed)) {
    return `${MUST}; ${SOCKET}`;
  }
  const [other] = OTHER_SCHEMES.exec(trimmed) ?? [];
  if (other !== undefined) return `${MUST}, and begins with ${other.toLowerCase()}`;
  if (!trimmed.includes('://')) return `${MUST}, and does not begin with redis://`;
  return `${MUST}, and begins with another protocol (valkey:// and valkeys:// are the same as redis:// and rediss://)`;
}

function partsOf(url: URL, tls: boolean): ReadUrl {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (host === '') {
    return { problem: `${MUST} with a host; ${SOCKET}` };
  }
  if (isUnset(host)) {
    return { problem: `${MUST}, and its host is "${host}" (is the environment variable set?)` };
  }
  const [, db] = /^\/?(\d*)\/?$/.exec(url.pathname) ?? [];
  if (db === undefined) {
    return {
      problem: `${MUST} whose path is the number of a database, as in redis://host:6379/2; this path is not a whole number`,
    };
  }
  let username: string;
  let password: string;
  try {
    username = decodeURIComponent(url.username);
    password = decodeURIComponent(url.password);
  } catch {
    return { problem: `has a "%" in its user name or password that is not percent-encoded: ${ENCODE}` };
  }
  const options: RedisOptions = {
    host,
    ...(url.port !== '' && { port: Number(url.port) }),
    ...(username !== '' && { username }),
    ...(password !== '' && { password }),
    ...(db !== '' && { db: Number(db) }),
    ...(tls && { tls: {} }),
  };
  return { options, query: Object.fromEntries(url.searchParams) };
}

/** The text that a template literal or String() produces for a variable that is not set. */
export function isUnset(text: string): boolean {
  return /^(undefined|null|nan|\[object.*)$/i.test(text);
}
