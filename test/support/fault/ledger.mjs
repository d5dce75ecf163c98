import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';

export function openLedger(path, by, onWrite) {
  let file = openSync(path, 'a');
  return {
    by,
    write(kind, id, more) {
      if (file === undefined) return;
      const record = { at: Date.now(), by, kind, id, ...more };
      writeSync(file, `${JSON.stringify(record)}\n`);
      onWrite?.(record);
    },
    close() {
      closeSync(file);
      file = undefined;
    },
  };
}

export function hashOf(data) {
  return createHash('sha1').update(JSON.stringify(data)).digest('hex').slice(0, 12);
}
