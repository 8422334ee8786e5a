/**
 * Where the time of a request went: the chain of calls that it waited for, found from recorded spans.
 *
 * From the end of a request backwards, what it waited for is the call that ended last; before that call began, again the
 * one that ended last, and so on inside of each. What remains is the work of the callers themselves.
 */
import { Effect, Tracer } from "effect"
import { table } from "./table.ts"

/**
 * A span that has ended, as plain data: times in milliseconds of one clock. Spans of several machines need clocks that
 * agree.
 *
 * @category models
 * @since 0.2.0
 */
export interface RecordedSpan {
  readonly id: string
  readonly parent?: string
  readonly name: string
  readonly start: number
  readonly end: number
  readonly attributes: Readonly<Record<string, unknown>>
}

/**
 * What one span called another for, and the latency spent on it: `millis` of its own on the critical path, of which
 * `queueMillis` it waited for a replica. `caller` is missing for a request itself.
 *
 * @category models
 * @since 0.2.0
 */
export interface CriticalEdge {
  readonly caller?: string
  readonly callee: string
  /** How many calls of this edge are on the path. */
  readonly calls: number
  readonly millis: number
  readonly queueMillis: number
}

/**
 * Where the time of recorded requests went.
 *
 * `millis` is how long the requests took together, which the edges, the most expensive first, add up to.
 * `sequentialMillis` is how long they would have taken with one call at a time.
 *
 * @category models
 * @since 0.2.0
 */
export interface CriticalPath {
  readonly requests: number
  readonly millis: number
  readonly sequentialMillis: number
  readonly edges: ReadonlyArray<CriticalEdge>
}

/**
 * Finds where the time of requests went: the spans without a recorded parent, and all below them.
 *
 * The queue is the attribute `chorale.queue_ms` of a span, as calls of replicas have it. What a span
 * does outside of the time of its parent is not counted.
 *
 * @category constructors
 * @since 0.2.0
 */
export const criticalPath = (spans: ReadonlyArray<RecordedSpan>): CriticalPath => {
  const ids = new Set(spans.map(({ id }) => id))
  const childrenOf = Map.groupBy(spans, ({ parent }) => parent !== undefined && ids.has(parent) ? parent : undefined)
  const roots = childrenOf.get(undefined) ?? []
  const tree = (span: RecordedSpan, from: number, until: number): Node => {
    const start = Math.max(span.start, from)
    const end = Math.max(start, Math.min(span.end, until))
    const children = (childrenOf.get(span.id) ?? []).filter((child) => child.start <= end)
    return { span, start, end, children: children.map((child) => tree(child, start, end)) }
  }
  const trees = roots.map((root) => tree(root, root.start, root.end))
  const edges = new Map<string, Total>()
  for (const root of trees) walk(root, root.end, undefined, undefined, edges)
  return {
    requests: roots.length,
    millis: sum(roots, ({ end, start }) => end - start),
    sequentialMillis: sum(trees, sequential),
    edges: Array.from(edges.values()).sort((a, b) => b.millis - a.millis)
  }
}

/** A span, cut to the time of its parent. */
interface Node {
  readonly span: RecordedSpan
  readonly start: number
  readonly end: number
  readonly children: ReadonlyArray<Node>
}

interface Total {
  readonly caller?: string
  readonly callee: string
  calls: number
  millis: number
  queueMillis: number
}

/** Adds what a span has of the path until `until` to its edge, and goes on with what it waited for. */
const walk = (
  node: Node,
  until: number,
  parent: Node | undefined,
  callerOfParent: string | undefined,
  edges: Map<string, Total>
): void => {
  const isSameCall = parent !== undefined && isHop(parent.span, node.span)
  const caller = isSameCall ? callerOfParent : parent?.span.name
  let time = Math.min(node.end, until)
  let own = 0
  const waitedFor = node.children.toSorted((a, b) => b.end - a.end || b.start - a.start)
  for (const child of waitedFor) {
    // What began later has been waited for already; of what overlaps, only the part before counts.
    if (child.start >= time) continue
    const end = Math.min(child.end, time)
    own += time - end
    walk(child, end, node, caller, edges)
    time = child.start
  }
  own += Math.max(0, time - node.start)
  const key = JSON.stringify([caller, node.span.name])
  const total = edges.get(key) ??
    { ...(caller === undefined ? {} : { caller }), callee: node.span.name, calls: 0, millis: 0, queueMillis: 0 }
  if (!isSameCall) total.calls++
  total.millis += own
  total.queueMillis += Math.min(own, queueOf(node.span))
  edges.set(key, total)
}

/** Whether the second span is what a replica did for the first, which is what the caller saw of the same call. */
export const isHop = (client: RecordedSpan, server: RecordedSpan): boolean =>
  client.name === server.name && "chorale.transport_ms" in client.attributes

const queueOf = ({ attributes }: RecordedSpan): number => {
  const queue = attributes["chorale.queue_ms"]
  return typeof queue === "number" && queue > 0 ? queue : 0
}

/** How long a span takes where its calls are made one after another: its own time, and all of theirs. */
const sequential = (node: Node): number =>
  node.end - node.start - covered(node.children) + sum(node.children, sequential)

/** The time in which at least one of the spans runs. */
const covered = (nodes: ReadonlyArray<Node>): number => {
  let time = -Infinity
  let millis = 0
  for (const { end, start } of nodes.toSorted((a, b) => a.start - b.start)) {
    millis += Math.max(0, end - Math.max(start, time))
    time = Math.max(time, end)
  }
  return millis
}

const sum = <A>(items: ReadonlyArray<A>, amount: (item: A) => number): number =>
  items.reduce((sum, item) => sum + amount(item), 0)

/**
 * The critical path as a table for a terminal: a line an edge with its share of the latency and its queue, and what the
 * requests would have taken in sequence.
 *
 * @category converting
 * @since 0.2.0
 */
export const drawCriticalPath = ({ edges, millis, requests, sequentialMillis }: CriticalPath): string => {
  const rows = edges.map(({ callee, caller, calls, millis: own, queueMillis }) => [
    `${caller ?? "request"} -> ${callee}`,
    String(calls),
    format(own),
    percent(own, millis),
    format(queueMillis)
  ])
  return [
    table(["edge", "calls", "ms", "share", "queue ms"], rows, { right: [1, 2, 3, 4] }),
    drawTotals({ millis, requests, sequentialMillis })
  ].join("\n")
}

/** A part of something in words; nothing of nothing. */
export const percent = (part: number, whole: number): string => whole === 0 ? "" : `${Math.round(100 * part / whole)} %`

/** How long requests took, and would have taken. */
export const drawTotals = (
  { millis, requests, sequentialMillis }: Pick<CriticalPath, "millis" | "requests" | "sequentialMillis">
): string => {
  const each = requests === 1 ? "The request" : `${requests} requests`
  return `${each} took ${format(millis)} ms; one call at a time it would be ${format(sequentialMillis)} ms.`
}

/** Milliseconds with as many digits as matter. */
export const format = (millis: number): string => millis.toFixed(millis < 10 ? 2 : millis < 100 ? 1 : 0)

/**
 * Spans of a tracer as plain data; those that have not ended are left out.
 *
 * @category converting
 * @since 0.2.0
 */
export const fromSpans = (spans: Iterable<Tracer.Span>): ReadonlyArray<RecordedSpan> =>
  Array.from(spans).flatMap((span) => {
    const { status } = span
    return status._tag !== "Ended" ? [] : [{
      id: span.spanId,
      ...(span.parent._tag === "Some" ? { parent: span.parent.value.spanId } : {}),
      name: span.name,
      start: Number(status.startTime) / 1e6,
      end: Number(status.endTime) / 1e6,
      attributes: Object.fromEntries(span.attributes)
    }]
  })

/**
 * Runs an effect and gives the spans that it left in this process, as plain data.
 *
 * They do not reach the tracer of the fiber. What the effect does on other machines is in the trace of those.
 *
 * **Example** (Where the time of one request went)
 *
 * ```ts
 * import { Deployment } from "chorale"
 * import { Effect } from "effect"
 *
 * export const program = Effect.gen(function*() {
 *   const { spans } = yield* Deployment.record(Effect.withSpan(Effect.sleep("10 millis"), "request"))
 *   return Deployment.drawCriticalPath(Deployment.criticalPath(spans))
 * })
 * ```
 *
 * @category combinators
 * @since 0.2.0
 */
export const record = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<{ readonly result: A; readonly spans: ReadonlyArray<RecordedSpan> }, E, R> =>
  Effect.suspend(() => {
    const spans: Array<Tracer.Span> = []
    const tracer = Tracer.make({
      span(options) {
        const span = new Tracer.NativeSpan(options)
        spans.push(span)
        return span
      }
    })
    return Effect.map(Effect.withTracer(effect, tracer), (result) => ({ result, spans: fromSpans(spans) }))
  })
