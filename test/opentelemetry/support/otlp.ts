/** Reads what tests need of OTLP's protobuf, by the numbers of its fields in opentelemetry-proto 1. */

interface Field {
  readonly number: number;
  readonly bytes: Buffer;
}

function* fieldsOf(bytes: Buffer): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error('protobuf: the bytes end too early');
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const number = Math.floor(key / 8);
    const type = key % 8;
    const from = at;
    if (type === 0) varint();
    else if (type === 1) at += 8;
    else if (type === 5) at += 4;
    else if (type === 2) {
      const length = varint();
      yield { number, bytes: bytes.subarray(at, at + length) };
      at += length;
      continue;
    } else throw new Error(`protobuf: type ${String(type)} at ${String(from)}`);
    yield { number, bytes: bytes.subarray(from, at) };
  }
}

/** The messages at a path of field numbers. */
function at(bytes: Buffer, ...path: readonly number[]): Buffer[] {
  const [number, ...rest] = path;
  if (number === undefined) return [bytes];
  return [...fieldsOf(bytes)]
    .filter((field) => field.number === number)
    .flatMap((field) => at(field.bytes, ...rest));
}

export interface OtlpSpan {
  readonly traceId: string;
  readonly parentSpanId: string;
  readonly name: string;
}

/** ExportTraceServiceRequest: resource_spans 1, scope_spans 2, spans 2. */
export function decodeSpans(body: Buffer): OtlpSpan[] {
  return at(body, 1, 2, 2).map((span) => ({
    traceId: at(span, 1)[0]?.toString('hex') ?? '',
    parentSpanId: at(span, 4)[0]?.toString('hex') ?? '',
    name: at(span, 5)[0]?.toString() ?? '',
  }));
}

/** ExportMetricsServiceRequest: resource_metrics 1, scope_metrics 2, metrics 2. The names of the metrics. */
export function decodeMetrics(body: Buffer): string[] {
  return at(body, 1, 2, 2).map((metric) => at(metric, 1)[0]?.toString() ?? '');
}
