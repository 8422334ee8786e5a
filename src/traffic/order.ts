/** Which policy may be put around which: the orders that silently defeat one of the two. */

/** The name of a policy, as it is called in `Traffic`. */
export type Name =
  | "limit"
  | "adaptiveLimit"
  | "budget"
  | "deadline"
  | "retry"
  | "circuitBreaker"
  | "cache"
  | "rateLimit"

/**
 * A policy that a layer has: its name, and the methods it is for.
 *
 * @category models
 * @since 0.2.0
 */
export interface Applied {
  readonly name: Name
  readonly methods: ReadonlyArray<string>
}

/** One policy around another, and what is wrong with that. */
interface Order {
  readonly outer: ReadonlyArray<Name>
  readonly inner: ReadonlyArray<Name>
  readonly why: string
}

const refused: ReadonlyArray<Order> = [
  {
    outer: ["limit", "adaptiveLimit", "budget"],
    inner: ["cache"],
    why: "an answer that is in the cache would wait for a permit, and equal calls would take one each"
  },
  {
    outer: ["circuitBreaker"],
    inner: ["cache"],
    why: "answers from the cache would count as successes of the service, and an open circuit would withhold them"
  },
  {
    outer: ["adaptiveLimit"],
    inner: ["retry"],
    why: "the time between two attempts would be measured as latency of the service"
  },
  {
    outer: ["adaptiveLimit"],
    inner: ["adaptiveLimit", "limit", "budget"],
    why: "the time in the queue inside would be measured as latency of the service"
  },
  { outer: ["rateLimit"], inner: ["retry"], why: "retries would pass the rate limit uncounted" },
  { outer: ["retry"], inner: ["retry"], why: "the attempts would multiply" }
]

const warned: ReadonlyArray<Order> = [
  {
    outer: ["limit", "budget"],
    inner: ["retry"],
    why: "a call keeps its permit while it waits for its next attempt"
  },
  {
    outer: ["limit", "adaptiveLimit", "budget"],
    inner: ["deadline"],
    why: "the time in the queue does not count towards the deadline"
  },
  {
    outer: ["limit", "adaptiveLimit", "budget"],
    inner: ["circuitBreaker", "rateLimit"],
    why: "a call waits in the queue only to be refused"
  },
  {
    outer: ["circuitBreaker"],
    inner: ["retry"],
    why: "an open circuit does not stop the attempts inside, and several failed attempts count as one failure"
  },
  { outer: ["rateLimit"], inner: ["cache"], why: "answers from the cache use up the rate" }
]

/** The warnings about a policy around those that are there; throws where the order is refused. */
export const check = (service: string, outer: Applied, inner: ReadonlyArray<Applied>): ReadonlyArray<string> => {
  const [wrong] = sentences(refused, service, outer, inner)
  if (wrong !== undefined) throw new TypeError(wrong)
  return sentences(warned, service, outer, inner)
}

/** The warnings where it is too late to refuse an order. */
export const warnings = (service: string, outer: Applied, inner: ReadonlyArray<Applied>): ReadonlyArray<string> =>
  sentences([...refused, ...warned], service, outer, inner)

const sentences = (
  orders: ReadonlyArray<Order>,
  service: string,
  outer: Applied,
  inner: ReadonlyArray<Applied>
): ReadonlyArray<string> =>
  inner.filter((other) => other.methods.some((method) => outer.methods.includes(method))).flatMap((other) =>
    orders.filter((order) => order.outer.includes(outer.name) && order.inner.includes(other.name)).map(({ why }) =>
      `${service}: Traffic.${outer.name} is put around Traffic.${other.name}: ${why}. ${advice(outer, other)}`
    )
  )

const advice = (outer: Applied, inner: Applied): string =>
  outer.name === inner.name
    ? `Apply Traffic.${inner.name} once for a method.`
    : `Apply Traffic.${outer.name} first and Traffic.${inner.name} after it.`
