import type { Reporter, TestModule } from 'vitest/node';

/** Prints `Tests: 12 passed, 0 failed, 1 skipped` as the last line, for scripts that read it. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      let failed = 0;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        count[state] += 1;
        if (state === 'failed') failed += 1;
      }
      // A file that does not load, or whose hooks fail, has failed without a test that did.
      if (!module.ok() && failed === 0) count.failed += 1;
    }
    const skipped = count.skipped + count.pending;
    console.log(
      `\nTests: ${count.passed} passed, ${count.failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`,
    );
  }
}
