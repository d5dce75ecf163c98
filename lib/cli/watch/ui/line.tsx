import { Box, Text } from 'ink';
import { createContext, useContext } from 'react';
import type { ReactNode } from 'react';
import stringWidth from 'string-width';
import { glyphsFor } from '../glyphs.js';
import type { Glyphs } from '../glyphs.js';
import { cut } from '../text.js';

export const GlyphContext = createContext<Glyphs>(glyphsFor({}));

export function useGlyphs(): Glyphs {
  return useContext(GlyphContext);
}

/** A piece of a line. The colors are those of the terminal's palette, so they suit light and dark screens. */
export interface Span {
  readonly text: string;
  readonly color?: 'red' | 'green' | 'yellow' | 'blue' | 'magenta' | 'cyan' | undefined;
  readonly bold?: boolean;
  readonly dim?: boolean;
  readonly inverse?: boolean;
}

/** One line of the screen, of exactly so many columns: what is too long is cut off. */
export function Line({ spans, width }: { spans: readonly Span[]; width: number }): ReactNode {
  let rest = width;
  return (
    <Box width={width} height={1} flexShrink={0}>
      <Text wrap="truncate-end">
        {spans.map((span, i) => {
          const text = cut(span.text, rest);
          rest -= stringWidth(text);
          return (
            <Text
              key={i}
              {...(span.color && { color: span.color })}
              bold={span.bold ?? false}
              dimColor={span.dim ?? false}
              inverse={span.inverse ?? false}
            >
              {text}
            </Text>
          );
        })}
      </Text>
    </Box>
  );
}

/** Two groups of spans, at both ends of a line. The right one gives way if there is no room. */
export function Ends(props: { left: readonly Span[]; right: readonly Span[]; width: number }): ReactNode {
  const used = widthOf(props.left);
  const wanted = widthOf(props.right);
  const gap = props.width - used - wanted;
  const spans = gap >= 1 ? [...props.left, { text: ' '.repeat(gap) }, ...props.right] : props.left;
  return <Line spans={spans} width={props.width} />;
}

export function widthOf(spans: readonly Span[]): number {
  return spans.reduce((sum, { text }) => sum + stringWidth(text), 0);
}

/** A frame with a title, around lines that are two borders and two spaces narrower. */
export function Panel(props: {
  title: readonly Span[];
  width: number;
  height: number;
  lines: readonly (readonly Span[])[];
}): ReactNode {
  const [topLeft, topRight, bottomLeft, bottomRight, across, down] = useGlyphs().frame;
  const { width, height } = props;
  const inner = Math.max(0, width - 4);
  const rows = Math.max(0, height - 2);
  const title = fitSpans(props.title, Math.max(0, width - 6));
  const rule = across.repeat(Math.max(0, width - 5 - widthOf(title)));
  const top: Span[] = [
    { text: `${topLeft}${across} `, dim: true },
    ...title,
    { text: ` ${rule}${topRight}`, dim: true },
  ];
  const bottom = `${bottomLeft}${across.repeat(Math.max(0, width - 2))}${bottomRight}`;
  return (
    <Box flexDirection="column" width={width} height={height} flexShrink={0}>
      <Line spans={top} width={width} />
      {Array.from({ length: rows }, (_, y) => {
        const spans = fitSpans(props.lines[y] ?? [], inner);
        const pad = ' '.repeat(Math.max(0, inner - widthOf(spans)));
        const line: Span[] = [
          { text: `${down} `, dim: true },
          ...spans,
          { text: pad },
          { text: ` ${down}`, dim: true },
        ];
        return <Line key={y} spans={line} width={width} />;
      })}
      <Line spans={[{ text: bottom, dim: true }]} width={width} />
    </Box>
  );
}

/** The spans that fit, the last one cut. */
export function fitSpans(spans: readonly Span[], width: number): Span[] {
  const fitting: Span[] = [];
  let rest = width;
  for (const span of spans) {
    if (rest <= 0) break;
    const text = cut(span.text, rest);
    rest -= stringWidth(text);
    fitting.push({ ...span, text });
  }
  return fitting;
}
