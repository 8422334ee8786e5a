/**
 * What recorded calls say about the graph of a deployment: which of its edges the latency is spent on.
 *
 * Every span of a method counts for the unit that serves it. Spans of anything else, such as parts of a method, belong to
 * the unit that they are in.
 */
import { criticalPath, format, isHop, percent, type RecordedSpan } from "./criticalPath.ts"
import type { DeploymentDescription } from "./Description.ts"

/**
 * The calls from one unit to another, or to a service that is served elsewhere; without `from`, requests from outside.
 *
 * `callMillis` is how long all `calls` took together, waited for or not. `millis` is the part of the latency of the
 * requests that is spent on the edge: in what is called, while nothing below it is waited for. `queueMillis` of that are
 * the wait for a replica.
 *
 * @category models
 * @since 0.3.0
 */
export interface ObservedEdge {
  readonly from?: string
  readonly to: string
  readonly calls: number
  readonly callMillis: number
  readonly millis: number
  readonly queueMillis: number
}

/**
 * What requests to a deployment took, and on which edges of its graph.
 *
 * `millis` is how long the `requests` took together: what the edges, the most expensive first, and `outsideMillis` add up
 * to, which is the time in no unit. `sequentialMillis` is how long they would have taken with one call at a time.
 *
 * @category models
 * @since 0.3.0
 */
export interface Observation {
  readonly requests: number
  readonly millis: number
  readonly sequentialMillis: number
  readonly outsideMillis: number
  readonly edges: ReadonlyArray<ObservedEdge>
}

/**
 * Finds on which edges of a deployment the time of recorded requests was spent. Requests that call none of its services
 * do not count.
 *
 * **Example** (The graph with what one request took)
 *
 * ```ts
 * import { Deployment, Model } from "chorale"
 * import { Effect, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Reader extends Model.Service<Reader>()("ocr/Reader", [Rpc.make("read", { success: Schema.String })]) {}
 *
 * const deployment = Deployment.make("reading", {
 *   reader: Deployment.unit(Reader, Reader.toLayer({ read: () => Effect.succeed("text") }), { expose: true })
 * })
 *
 * export const program = Effect.gen(function*() {
 *   const { spans } = yield* Deployment.record(Reader.use((reader) => reader.read()))
 *   const description = Deployment.describe(deployment)
 *   return Deployment.drawObservation(description, Deployment.observe(description, spans))
 * })
 * ```
 *
 * @category constructors
 * @since 0.3.0
 */
export const observe = (description: DeploymentDescription, spans: ReadonlyArray<RecordedSpan>): Observation => {
  const nodeOf = nodesByService(description)
  const picked = pick(spans, nodeOf)
  const calls = picked.flatMap(({ calls }) => calls)
  const { millis, requests, sequentialMillis } = criticalPath(picked.flatMap(({ all }) => all))
  const edges = new Map<string, Total>()
  const edge = (from: string | undefined, to: string): Total => {
    const key = JSON.stringify([from, to])
    const total = edges.get(key) ?? { from, to, calls: 0, callMillis: 0, millis: 0, queueMillis: 0 }
    edges.set(key, total)
    return total
  }
  const byId = new Map(calls.map((call) => [call.id, call]))
  for (const call of calls) {
    const to = nodeOf(call.name)
    const caller = call.parent === undefined ? undefined : byId.get(call.parent)
    if (to === undefined || caller !== undefined && isHop(caller, call)) continue
    const total = edge(caller === undefined ? undefined : nodeOf(caller.name), to)
    total.calls++
    total.callMillis += call.end - call.start
  }
  let outsideMillis = 0
  for (const { callee, caller, millis, queueMillis } of criticalPath(calls).edges) {
    const to = nodeOf(callee)
    if (to === undefined) {
      outsideMillis += millis
      continue
    }
    const total = edge(caller === undefined ? undefined : nodeOf(caller), to)
    total.millis += millis
    total.queueMillis += queueMillis
  }
  return {
    requests,
    millis,
    sequentialMillis,
    outsideMillis,
    edges: Array.from(edges.values(), ({ from, ...rest }) => from === undefined ? rest : { from, ...rest })
      .sort((a, b) => b.millis - a.millis)
  }
}

interface Total {
  readonly from: string | undefined
  readonly to: string
  calls: number
  callMillis: number
  millis: number
  queueMillis: number
}

/** The unit, or the service outside of the deployment, whose method a span is named after. */
const nodesByService = ({ units }: DeploymentDescription) => {
  const nodes = new Map(units.flatMap(({ external }) => external).map((key) => [key, key]))
  for (const { name, service } of units) nodes.set(service, name)
  return (span: string): string | undefined => nodes.get(span.slice(0, Math.max(0, span.lastIndexOf("."))))
}

/**
 * The spans of requests that called a service, and of these the requests and the calls alone, each below the nearest of
 * these that it is in.
 */
const pick = (spans: ReadonlyArray<RecordedSpan>, nodeOf: (span: string) => string | undefined) => {
  const ids = new Set(spans.map(({ id }) => id))
  const childrenOf = Map.groupBy(spans, ({ parent }) => parent !== undefined && ids.has(parent) ? parent : undefined)
  return (childrenOf.get(undefined) ?? []).map((root) => {
    const all: Array<RecordedSpan> = []
    const calls: Array<RecordedSpan> = []
    const open: Array<{ readonly span: RecordedSpan; readonly around?: string }> = [{ span: root }]
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const { around, span } = next
      const isCall = around === undefined || nodeOf(span.name) !== undefined
      const { parent: _, ...rest } = span
      all.push(span)
      if (isCall) calls.push(around === undefined ? rest : { ...rest, parent: around })
      const within = isCall ? span.id : around
      for (const child of childrenOf.get(span.id) ?? []) open.push({ span: child, around: within })
    }
    return { all, calls }
  }).filter(({ calls }) => calls.some(({ name }) => nodeOf(name) !== undefined))
}

/** The edges of a graph with what was observed of them, and after them edges that were observed only. */
export const edgesOf = (
  declared: ReadonlyArray<{ readonly from: string; readonly to: string }>,
  observation: Observation | undefined
): ReadonlyArray<{ readonly from: string; readonly to: string; readonly observed?: ObservedEdge }> => {
  const observed = new Map(observation?.edges.map((edge) => [keyOf(edge), edge]))
  const keys = new Set(declared.map(keyOf))
  const others = Array.from(observed.values()).flatMap((edge) =>
    edge.from === undefined || keys.has(keyOf(edge)) ? [] : [{ from: edge.from, to: edge.to }]
  )
  return [...declared, ...others].map((edge) => {
    const found = observed.get(keyOf(edge))
    return found === undefined ? edge : { ...edge, observed: found }
  })
}

/** The same for the same edge, of whatever kind. */
export const keyOf = ({ from, to }: { readonly from?: string | undefined; readonly to: string }): string =>
  JSON.stringify([from, to])

/** What is said of an edge beside it. */
export const textOf = ({ calls, millis, queueMillis }: ObservedEdge, observation: Observation): string =>
  [
    `${calls} ${calls === 1 ? "call" : "calls"}`,
    percent(millis, observation.millis),
    ...(queueMillis === 0 ? [] : [`${format(queueMillis)} ms queued`])
  ].filter((part) => part !== "").join(", ")

/** What is said of all requests together. */
export const summaryOf = ({ millis, requests, sequentialMillis }: Observation): string =>
  `${requests} ${requests === 1 ? "request" : "requests"}, ${format(millis)} ms, in sequence ${
    format(sequentialMillis)
  } ms`
