import { parseInfo } from '../server.mjs';
import { QUEUE } from './settings.mjs';

const key = (suffix) => `{chasqui:${QUEUE}}:${suffix}`;

/** What the server holds. Buffers of connections come and go, and are not counted as memory. */
export async function lookAtServer(admin) {
  const [text, keys, groups, delayed] = await Promise.all([
    admin.info('all'),
    admin.dbsize(),
    admin.call('XINFO', 'GROUPS', key('stream')),
    admin.zcard(key('delayed')),
  ]);
  const info = parseInfo(text);
  const [group] = groups;
  return {
    memory: Number(info.get('used_memory')) - Number(info.get('mem_clients_normal')),
    keys,
    clients: Number(info.get('connected_clients')) - 1,
    consumers: group[group.indexOf('consumers') + 1],
    delayed,
  };
}

/** Dead letters, those included that the cap has dropped. */
export async function countLetters(admin) {
  const [kept, dropped] = await Promise.all([admin.xlen(key('dlq')), admin.get(key('dlq:evicted'))]);
  return kept + Number(dropped ?? 0);
}

/** What should be nothing once all is done: jobs left behind, and connections left open. */
export async function remains(admin) {
  const [stream, delayed, info] = await Promise.all([
    admin.xlen(key('stream')),
    admin.zcard(key('delayed')),
    admin.info('clients'),
  ]);
  return { jobs: stream + delayed, clients: Number(parseInfo(info).get('connected_clients')) - 1 };
}
