import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';

/** The buttons of a job, from the left, by its state. The page names them in tooltips only. */
export const JOB_BUTTONS = {
  failed: ['Retry', 'Duplicate', 'Update Data', 'Clean'],
  delayed: ['Promote', 'Reschedule', 'Duplicate', 'Update Data', 'Clean'],
  completed: ['Duplicate', 'Retry', 'Clean'],
  waiting: ['Duplicate', 'Update Data', 'Clean'],
  prioritized: ['Change priority', 'Duplicate', 'Update Data', 'Clean'],
} as const;

/** How long a page may take for one step, in ms. */
export const PATIENCE = { timeout: 10_000 };

export const jobButtons = (page: Page): Locator => page.locator('ul[class*=jobActions] button');

/** Clicks a button of a job, on its page or of the first one of a list. */
export async function press<State extends keyof typeof JOB_BUTTONS>(
  page: Page,
  state: State,
  name: (typeof JOB_BUTTONS)[State][number],
): Promise<void> {
  const names: readonly string[] = JOB_BUTTONS[state];
  await page
    .locator('ul[class*=jobActions]')
    .first()
    .locator('button')
    .nth(names.indexOf(name))
    .click(PATIENCE);
}

/** Chooses from the menu of a queue. */
export async function choose(page: Page, item: string): Promise<void> {
  await page.locator('button[aria-haspopup=menu][class*=trigger]').first().click(PATIENCE);
  await page.getByRole('menuitem', { name: item, exact: true }).click(PATIENCE);
}

export const confirm = (page: Page): Promise<void> =>
  page.getByRole('button', { name: 'Confirm' }).click(PATIENCE);

export const sees = (page: Page, text: string | RegExp): Promise<void> =>
  page.getByText(text).first().waitFor(PATIENCE);

/**
 * Waits for the end of a dialog, and loads the page again. For 300 ms after a dialog has closed, Bull Board closes any other one that
 * opens: its page forgets all dialogs then, and nothing that a test could wait for tells when.
 */
export async function afterDialog(page: Page): Promise<void> {
  await page.getByRole('dialog').waitFor({ state: 'detached', ...PATIENCE });
  await page.reload();
}

/** Replaces the text of an editor in a dialog. */
export async function write(page: Page, editor: Locator, text: string): Promise<void> {
  await editor.click(PATIENCE);
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.insertText(text);
}

/** With `BOARD_SCREENSHOTS`, the folder to write them to. */
export async function shoot(page: Page, name: string): Promise<void> {
  const folder = process.env['BOARD_SCREENSHOTS'];
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  await page.waitForTimeout(1_500);
  await page.screenshot({ path: join(folder, `${name}.png`) });
}
