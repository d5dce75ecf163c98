import { PACKAGE_VERSION } from './version.generated.js';

/** Version of this package. */
export function engineVersion(): string {
  return PACKAGE_VERSION;
}
