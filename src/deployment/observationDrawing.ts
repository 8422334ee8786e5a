/** A deployment drawn with what its calls took, for a terminal. */
import { drawTotals, format, percent } from "./criticalPath.ts"
import type { DeploymentDescription } from "./Description.ts"
import { trees } from "./drawing.ts"
import { keyOf, type Observation, type ObservedEdge } from "./observation.ts"
import { table } from "./table.ts"

/**
 * Draws a deployment as trees with what was observed: for each edge, from the unit above to the one that the line is
 * about, its calls, how long one took, its share of the latency, and how much of that was a queue.
 *
 * @category converting
 * @since 0.3.0
 */
export const drawObservation = (description: DeploymentDescription, observation: Observation): string => {
  const { edges, millis, outsideMillis } = observation
  const rows = trees(description).map(({ caller, name, tree }) => ({
    text: tree,
    key: keyOf({ from: caller, to: name })
  }))
  const shown = new Set(rows.map(({ key }) => key))
  const others = edges.filter((edge) => !shown.has(keyOf(edge))).map((edge) => ({
    text: `${edge.from ?? "request"} -> ${edge.to}`,
    key: keyOf(edge)
  }))
  const cells = (edge: ObservedEdge | undefined) =>
    edge === undefined ? ["0"] : [
      String(edge.calls),
      edge.calls === 0 ? "" : format(edge.callMillis / edge.calls),
      percent(edge.millis, millis),
      format(edge.queueMillis)
    ]
  const lines = [...rows, ...others].map(({ key, text }) => [text, ...cells(edges.find((edge) => keyOf(edge) === key))])
  const outside = outsideMillis === 0 ? [] : [["outside of the units", "", "", percent(outsideMillis, millis)]]
  return [
    table(["unit", "calls", "ms a call", "share", "queue ms"], [...lines, ...outside], { right: [1, 2, 3, 4] }),
    drawTotals(observation),
    ...edges.slice(0, 1).map((edge) =>
      `The largest part of it, ${percent(edge.millis, millis)}, is spent on ${edge.from ?? "request"} -> ${edge.to}.`
    )
  ].join("\n")
}
