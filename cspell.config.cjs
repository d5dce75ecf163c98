/**
 * One word for one thing: what lint finds in names, comments, messages, scripts and pages that the glossary in
 * docs/architecture.md calls something else. Only the words listed here are reported; spelling is not checked.
 */
const INSTEAD = {
  held: 'in flight',
  bury: 'dead-letter',
  buries: 'dead-letters',
  buried: 'dead-lettered',
  burial: 'dead letter',
  lane: 'commit queue',
  lanes: 'commit queues',
  suspect: 'quarantined',
  suspects: 'quarantined',
  doubt: 'probe',
  doubted: 'probed',
  stray: 'misplaced',
  strays: 'misplaced',
  mend: 'fix',
  mends: 'fixes',
  mended: 'fixed',
  whoever: 'name the subject',
  whomever: 'name the subject',
  innocent: 'healthy',
  innocents: 'healthy jobs',
};

module.exports = {
  version: '0.2',
  language: 'en-US',
  unknownWords: 'report-flagged',
  useGitignore: true,
  files: ['**/*.{ts,mts,mjs,cjs,js,lua,md,yml,json}'],
  ignorePaths: ['package-lock.json', 'CHANGELOG.md', 'cspell.config.cjs', 'node_modules'],
  flagWords: Object.entries(INSTEAD).map(([word, instead]) => `${word}->${instead}`),
};
