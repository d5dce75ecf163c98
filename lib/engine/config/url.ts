import type { RedisOptions } from 'ioredis';

/** What a URL says, or what is wrong with it. The problem never shows any part of the URL that may be secret. */
export type ReadUrl =
  | { readonly problem: string }
  | { readonly options: RedisOptions; readonly query: Readonly<Record<string, string>> };

const MUST = 'must be a redis:// or rediss:// URL';
const ENCODE = 'percent-encode user name and password with encodeURIComponent()';
/** Schemes that people give by mistake, and that are no secret. */
const OTHER_SCHEMES =
  /^(https?|wss?|tcp|tls|ssl|amqps?|postgres(ql)?|mysql|mongodb(\+srv)?|memcached?):\/\//i;
const SCHEME = /^(redis|valkey)(s?):\/\//i;

/**
 * Reads a URL by itself: ioredis takes anything (`''` leads to localhost, `http://…` becomes a socket path), and the
 * errors of `new URL` carry the whole text, password included.
 */
export function readUrl(given: string): ReadUrl {
  const scheme = SCHEME.exec(given);
  if (!scheme) return { problem: problemOf(given) };
  // `new URL` leaves out tabs and line breaks without a word.
  // eslint-disable-next-line no-control-regex
  if (/[\s\u0000-\u001f]/.test(given)) {
    return {
      problem: `${MUST}, and has a blank or a line break in it or at its end: trim() it, and ${ENCODE}`,
    };
  }
  const rest = given.slice(scheme[0].length);
  const authority = /^[^/?#]*/.exec(rest)?.[0] ?? '';
  if (rest.includes('#') || rest.slice(authority.length).includes('@')) {
    return {
      problem: `has a password with "/", "?", "#" or "@" in it, which end a part of a URL: ${ENCODE}`,
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
  if (trimmed === '') return `${MUST}, and is empty (is the variable that it comes from set?)`;
  if (SCHEME.test(trimmed)) return `${MUST}, and begins with a blank or a line break: trim() it`;
  if (/^["'`]/.test(trimmed)) return `${MUST}, and begins with a quotation mark: leave the quotes out`;
  if (/^(unix:|redis\+(unix|socket):|\.{0,2}\/)/i.test(trimmed)) {
    return `${MUST}; a Unix socket is given as { path: '/…/redis.sock' }`;
  }
  const [other] = OTHER_SCHEMES.exec(trimmed) ?? [];
  if (other !== undefined) return `${MUST}, and begins with ${other.toLowerCase()}`;
  if (!trimmed.includes('://')) return `${MUST}, and has no redis:// at its beginning`;
  return `${MUST}, and begins with another protocol (valkey:// and valkeys:// are the same as redis:// and rediss://)`;
}

function partsOf(url: URL, tls: boolean): ReadUrl {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (host === '') {
    return { problem: `${MUST} with a host; a Unix socket is given as { path: '/…/redis.sock' }` };
  }
  if (isUnset(host)) {
    return { problem: `${MUST}, and its host is "${host}" (is the variable that it comes from set?)` };
  }
  const [, db] = /^\/?(\d*)\/?$/.exec(url.pathname) ?? [];
  if (db === undefined) {
    return {
      problem: `${MUST} whose path is the number of a database, as in redis://host:6379/2; this path is no whole number`,
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

/** What a template makes of a variable that is not set. */
export function isUnset(text: string): boolean {
  return /^(undefined|null|nan|\[object.*)$/i.test(text);
}
