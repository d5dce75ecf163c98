// Writes docs/options.md from the doc comments of the public option types, so that the page is always up to date.
//   node scripts/options-page.mjs           writes the page
//   node scripts/options-page.mjs --check   fails if the page is out of date, or an option does not state its default
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
const page = join(root, 'docs', 'options.md');

/** The sections in the order of the page. `inherited` names the types whose options a type also takes. */
const SECTIONS = [
  {
    title: 'In Nest',
    types: [
      { name: 'ChasquiModuleOptions', title: '`ChasquiModule.forRoot`' },
      { name: 'ChasquiModuleExtras', title: '`ChasquiModule.forRoot`: name and scope' },
      {
        name: 'ChasquiQueueOptions',
        title: '`ChasquiModule.forFeature`',
        inherited: ['ChasquiFeatureOptions', 'ChasquiFeatureExtras'],
      },
      { name: 'WorkerSettings', title: '`@Processor`, `workerOptions`' },
      { name: 'ModuleThreads', title: '`useWorkerThreads` in Nest', inherited: ['ThreadOptions'] },
      { name: 'ScheduleSettings', title: '`schedules`' },
      { name: 'OnJobOptions', title: '`@OnJob`', inherited: ['TimeLimits'] },
      { name: 'RepeatSettings', title: '`@Repeat`' },
    ],
  },
  {
    title: 'Queues and jobs',
    types: [
      { name: 'QueueOptions', title: '`Queue`' },
      { name: 'ConnectionOptions', title: '`connection`' },
      { name: 'TrackJobsOptions', title: '`trackJobs`' },
      { name: 'TrackedBound', title: '`completed` and `failed` of `trackJobs`' },
      { name: 'DurabilityOptions', title: '`durability`' },
      { name: 'JobsOptions', title: '`queue.add`', inherited: ['TimeLimits'] },
      { name: 'JobGroup', title: '`group` of a job' },
      { name: 'BackoffOptions', title: '`backoff`' },
      { name: 'DeduplicationOptions', title: '`deduplication`' },
      { name: 'KeepJobs', title: '`removeOnComplete`, `removeOnFail`' },
      { name: 'RepeatOptions', title: '`repeat`' },
      { name: 'WaitForResultOptions', title: '`job.waitForResult`' },
    ],
  },
  {
    title: 'Workers',
    types: [
      {
        name: 'WorkerOptions',
        title: '`Worker`',
        inherited: ['ConsumerConfig', 'BatchingOptions', 'TimeLimits'],
      },
      { name: 'RateLimit', title: '`limiter`, and `limit` of groups' },
      { name: 'GroupLimits', title: '`group` of a worker' },
      { name: 'BatchesOptions', title: '`batches`' },
      { name: 'RetryConfig', title: '`retry`' },
      { name: 'MetricsOptions', title: '`metrics`' },
      { name: 'ThreadOptions', title: '`useWorkerThreads`' },
      { name: 'NodeThreadOptions', title: '`workerThreadsOptions`' },
      { name: 'ResourceLimits', title: '`resourceLimits`' },
      { name: 'SchedulerConfig', title: '`scheduler`' },
    ],
  },
  {
    title: 'Queue events',
    types: [{ name: 'QueueEventsOptions', title: '`QueueEvents`' }],
  },
  {
    title: 'Parts of the engine in processes of their own',
    types: [
      { name: 'ProducerConfig', title: '`Producer`' },
      { name: 'AddOptions', title: '`producer.addWithOptions`' },
      { name: 'JobRetryOverride', title: '`retry` of one job' },
      { name: 'StandaloneConsumerConfig', title: '`Consumer`', inherited: ['TimeLimits'] },
      { name: 'PromoterConfig', title: '`Promoter`' },
      { name: 'StandaloneSchedulerConfig', title: '`Scheduler`' },
    ],
  },
  {
    title: 'Health',
    types: [
      { name: 'ConnectionCheckOptions', title: '`checkConnection`' },
      { name: 'WorkersCheckOptions', title: '`checkWorkers`' },
      { name: 'BacklogCheckOptions', title: '`checkBacklog`' },
    ],
  },
  {
    title: 'OpenTelemetry',
    types: [{ name: 'ChasquiTelemetryOptions', title: '`ChasquiTelemetry`' }],
  },
  {
    title: 'Autoscaling',
    types: [{ name: 'ChasquiScalerOptions', title: '`ChasquiScalerModule.forRoot`' }],
  },
  {
    title: 'Microservices',
    types: [
      { name: 'ChasquiServerOptions', title: '`ChasquiServer`' },
      { name: 'ChasquiClientOptions', title: '`ChasquiClient`' },
      { name: 'ChasquiRecordOptions', title: '`ChasquiRecordBuilder`: one message' },
    ],
  },
  {
    title: 'Dashboard',
    types: [
      { name: 'ChasquiBoardOptions', title: '`ChasquiBoardModule`' },
      { name: 'ChasquiBoardExtras', title: '`ChasquiBoardModule`: beside a factory' },
      {
        name: 'BoardQueueOptions',
        title: '`queues`: a queue of the board',
        inherited: ['ChasquiAdapterOptions'],
      },
      { name: 'ChasquiAdapterOptions', title: '`ChasquiAdapter`' },
    ],
  },
];

/** Interfaces that are types of options, and are no options themselves: what you implement, or get. */
const NO_OPTIONS = new Set(['Telemetry', 'MetricsSink', 'Clock']);

/** @returns {{ page: string, undocumented: string[] }} */
export async function optionsPage() {
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile).config,
    ts.sys,
    root,
  );
  const folders = ['', 'health', 'opentelemetry', 'scaler', 'microservices', 'bull-board'];
  const entries = folders.map((folder) => join(root, 'lib', folder, 'index.ts'));
  const program = ts.createProgram(entries, options);
  const checker = program.getTypeChecker();
  // Only exported types: another interface of the same name may be internal.
  const interfaces = new Map();
  for (const entry of entries) {
    const module = checker.getSymbolAtLocation(program.getSourceFile(entry));
    for (const exported of checker.getExportsOfModule(module)) {
      const isAlias = (exported.flags & ts.SymbolFlags.Alias) !== 0;
      const { declarations } = isAlias ? checker.getAliasedSymbol(exported) : exported;
      const node = declarations?.find(ts.isInterfaceDeclaration);
      if (node) interfaces.set(exported.name, node);
    }
  }

  const undocumented = [];
  const listed = new Set(
    SECTIONS.flatMap(({ types }) => types.flatMap(({ name, inherited = [] }) => [name, ...inherited])),
  );
  /** Options within options have tables, too. */
  const checkNested = (name, option, type) => {
    for (const [nested] of type.matchAll(/\b[A-Z]\w+/g)) {
      if (interfaces.has(nested) && !listed.has(nested) && !NO_OPTIONS.has(nested))
        undocumented.push(`${name}.${option}: ${nested} has no table`);
    }
  };
  const rowsOf = (name) => {
    const node = interfaces.get(name);
    if (!node) throw new Error(`The package exports no interface ${name}.`);
    return node.members.filter(ts.isPropertySignature).map((member) => {
      const option = member.name.text;
      const comment = textOf(ts.getJSDocCommentsAndTags(member));
      const required = member.questionToken === undefined;
      const { text, value } = splitDefault(comment);
      if (comment === '') undocumented.push(`${name}.${option}: no doc comment`);
      else if (!required && value === undefined)
        undocumented.push(`${name}.${option}: no "Default …" in its doc comment`);
      const type = member.type
        ? member.type.getText().replace(/\s+/g, ' ')
        : checker.typeToString(checker.getTypeAtLocation(member));
      checkNested(name, option, type);
      return { option, type, default: required ? 'required' : (value ?? ''), text };
    });
  };

  const parts = [
    '# Options',
    '',
    'Every option, its type, and its default. This page is generated from the doc comments, which your editor shows too.',
    'An option that you set to `undefined` counts as not set. An unknown option, or a value of the wrong type, throws a',
    '`ConfigError` (`CMQ-004`) that names the option.',
    '',
  ];
  for (const { title, types } of SECTIONS) {
    parts.push(`## ${title}`, '');
    for (const { name, title: heading, inherited = [] } of types) {
      parts.push(`### ${heading}`, '');
      const node = interfaces.get(name);
      const summary = node && textOf(ts.getJSDocCommentsAndTags(node));
      if (summary) parts.push(summary, '');
      const rows = [...rowsOf(name), ...inherited.flatMap(rowsOf)];
      parts.push('| option | type | default | what it does |', '| --- | --- | --- | --- |');
      for (const row of rows) {
        parts.push(`| \`${row.option}\` | ${code(row.type)} | ${cell(row.default)} | ${cell(row.text)} |`);
      }
      parts.push('');
    }
  }
  const prettier = await resolveConfig(page);
  return { page: await format(parts.join('\n'), { ...prettier, parser: 'markdown' }), undocumented };
}

/** The description of a doc comment, on one line, with `{@link X.y}` as code. */
function textOf(docs) {
  const text = ts.getTextOfJSDocComment(docs.find(ts.isJSDoc)?.comment) ?? '';
  return text
    .replace(/\{@link\s+([\w.]+)\s*\}/g, '`$1`')
    .replace(/\s+/g, ' ')
    .trim();
}

/** `Default X.` or `Default: X.` up to the end of its sentence, and the text without it. */
function splitDefault(comment) {
  const found = /(?:^|\s)Default:? ((?:`[^`]*`|\([^)]*\)|[^.`(]|\.(?!\s|$))+)\.?(?=\s|$)/.exec(comment);
  if (!found) return { text: comment, value: undefined };
  const text = (comment.slice(0, found.index) + comment.slice(found.index + found[0].length)).trim();
  return { text, value: found[1].trim() };
}

function code(type) {
  return `\`${type.replaceAll('|', '\\|')}\``;
}

function cell(text) {
  return text.replaceAll('|', '\\|');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { page: text, undocumented } = await optionsPage();
  if (process.argv.includes('--check')) {
    const problems = [...undocumented];
    if (readFileSync(page, 'utf8') !== text) {
      problems.push('docs/options.md is out of date: run `node scripts/options-page.mjs`.');
    }
    for (const problem of problems) console.error(problem);
    process.exitCode = problems.length > 0 ? 1 : 0;
  } else {
    writeFileSync(page, text);
    for (const problem of undocumented) console.warn(problem);
  }
}
