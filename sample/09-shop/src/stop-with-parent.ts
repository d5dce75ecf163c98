import type { INestApplicationContext } from '@nestjs/common';

/** Closes the application if the process that started it has gone. Your application does not need this. */
export function stopWithParent(app: INestApplicationContext): void {
  if (!process.connected) return;
  process.once('disconnect', () => void app.close());
  // The channel alone must not keep the process alive after the application was closed.
  process.channel?.unref();
}
