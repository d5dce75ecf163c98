import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { expect } from 'vitest';

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
  await page.locator('main button[aria-haspopup=menu][class*=trigger]').first().click(PATIENCE);
  await page.getByRole('menuitem', { name: item, exact: true }).click(PATIENCE);
}

export const confirm = (page: Page): Promise<void> =>
  page.getByRole('button', { name: 'Confirm' }).click(PATIENCE);

export const sees = (page: Page, text: string | RegExp): Promise<void> =>
  page.getByText(text).first().waitFor(PATIENCE);

/** The open dialog. Messages have the same role. */
export const dialogOf = (page: Page): Locator => page.locator('[role=dialog]:not([class*=toast])');

/** For so long after a dialog has closed, Bull Board closes any other one that opens: its page forgets all dialogs then. In ms. */
const FORGETS_MS = 300;

/**
 * Waits until another dialog can be opened. Questions such as those of {@link confirm} need no wait.
 * @param button the button that closes the dialog; undefined: it closes by itself
 */
export async function afterDialog(page: Page, button?: string): Promise<void> {
  const dialog = dialogOf(page);
  if (button !== undefined) await dialog.getByRole('button', { name: button, exact: true }).click(PATIENCE);
  await dialog.waitFor({ state: 'detached', ...PATIENCE });
  // A browser runs timers of one length in the order in which they were set: that of the page is over then.
  await page.evaluate((ms) => new Promise((done) => setTimeout(done, ms)), FORGETS_MS);
}

export async function openSettings(page: Page): Promise<void> {
  await page.locator('header button').last().click(PATIENCE);
  await page.getByRole('dialog', { name: 'Settings' }).waitFor(PATIENCE);
}

/** Waits until nothing on the page moves any more: the menu beside it slides in and out, which moves all the rest. */
export async function isStill(page: Page): Promise<void> {
  const moving = 'document.getAnimations().filter((one) => one instanceof CSSTransition).length';
  await expect.poll(() => page.evaluate(moving), PATIENCE).toBe(0);
}

/**
 * In the page: whether "Add job", or "Duplicate", is ready. It makes its editor of the data anew when it hears whether the queue has a
 * schema, and only React's key says which one that is; text and clicks before that are lost. What an editor sends stands in a
 * hidden field, a moment after the editor shows it.
 */
const READY = `(() => {
  const fields = document.getElementById('add-job-form')?.elements;
  if (!fields?.jobData?.value || !fields.jobOptions?.value) return false;
  const name = Object.keys(fields.jobData).find((key) => key.startsWith('__reactFiber$'));
  let node = fields.jobData[name];
  while (node && !node.key?.startsWith('job-data-')) node = node.return;
  return node ? node.key.endsWith('-ready') : 'no key';
})()`;

async function formOfJob(page: Page): Promise<Locator> {
  await expect.poll(() => page.evaluate(READY), PATIENCE).toBe(true);
  return dialogOf(page);
}

/** Opens "Add job" of a queue. Resolves with the dialog when it can be filled in. */
export async function openAddJob(page: Page): Promise<Locator> {
  await choose(page, 'Add job');
  return formOfJob(page);
}

/** Opens "Duplicate" of a job. Resolves with the dialog when it has the job. */
export async function openDuplicate(page: Page, state: keyof typeof JOB_BUTTONS): Promise<Locator> {
  await press(page, state, 'Duplicate');
  return formOfJob(page);
}

/** Replaces the text of an editor in a dialog. Resolves when the dialog would send it. */
export async function write(page: Page, editor: Locator, text: string): Promise<void> {
  await editor.click(PATIENCE);
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.insertText(text);
  const sent = editor.locator(
    'xpath=ancestor::*[following-sibling::input[@type="hidden"]][1]/following-sibling::input',
  );
  await expect.poll(() => sent.inputValue(PATIENCE), PATIENCE).toBe(text);
}

/** With `BOARD_SCREENSHOTS`, the folder to write them to. */
export async function shoot(page: Page, name: string): Promise<void> {
  const folder = process.env['BOARD_SCREENSHOTS'];
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  await page.waitForTimeout(1_500);
  await page.screenshot({ path: join(folder, `${name}.png`) });
}
