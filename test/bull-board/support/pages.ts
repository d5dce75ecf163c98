import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';

/** With `BOARD_SCREENSHOTS`, the folder to write them to. */
export async function shoot(page: Page, name: string): Promise<void> {
  const folder = process.env['BOARD_SCREENSHOTS'];
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  await page.waitForTimeout(1_500);
  await page.screenshot({ path: join(folder, `${name}.png`) });
}
