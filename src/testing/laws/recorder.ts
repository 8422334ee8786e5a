/** A tracer that keeps the spans it makes. */
import { Option, Tracer } from "effect"

/** A span that was made: its name, itself and what it is below. */
export interface Recorded {
  readonly name: string
  readonly spanId: string
  readonly parentId: string
}

export const make = (): { readonly tracer: Tracer.Tracer; readonly spans: ReadonlyArray<Recorded> } => {
  const spans: Array<Recorded> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      const parentId = Option.match(options.parent, { onNone: () => "", onSome: ({ spanId }) => spanId })
      spans.push({ name: options.name, spanId: span.spanId, parentId })
      return span
    }
  })
  return { tracer, spans }
}
