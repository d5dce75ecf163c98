import { SCRIPTS } from '../completion/scripts.js';
import type { Shell } from '../completion/scripts.js';
import type { Context } from '../frame/context.js';

export function completion(context: Context, [shell]: readonly [Shell]): Promise<void> {
  const script = SCRIPTS[shell];
  context.out.document({ shell, script });
  if (!context.out.json) context.out.raw(script);
  return Promise.resolve();
}
