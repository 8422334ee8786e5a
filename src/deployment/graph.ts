/** The units of a deployment and the services they call, as a graph. */
import { Graph, Option } from "effect"
import type { DeploymentDescription, UnitDescription } from "./Description.ts"

/**
 * A unit, or a service that is served outside of the deployment.
 *
 * @category models
 * @since 0.2.0
 */
export type GraphNode =
  | { readonly kind: "unit"; readonly name: string; readonly unit: UnitDescription }
  | { readonly kind: "external"; readonly name: string }

/**
 * The units of a deployment and the services outside of it; an edge goes from who calls to who is called.
 *
 * @category converting
 * @since 0.2.0
 */
export const graph = ({ units }: DeploymentDescription): Graph.DirectedGraph<GraphNode, "calls"> =>
  Graph.directed<GraphNode, "calls">((mutable) => {
    const indexes = new Map<string, Graph.NodeIndex>()
    for (const unit of units) indexes.set(unit.name, Graph.addNode(mutable, { kind: "unit", name: unit.name, unit }))
    const outside = new Map<string, Graph.NodeIndex>()
    for (const name of new Set(units.flatMap(({ external }) => external))) {
      outside.set(name, Graph.addNode(mutable, { kind: "external", name }))
    }
    for (const { dependsOn, external, name } of units) {
      const from = indexes.get(name)
      const called = [...dependsOn.map((name) => indexes.get(name)), ...external.map((name) => outside.get(name))]
      for (const to of called) {
        if (from !== undefined && to !== undefined) Graph.addEdge(mutable, from, to, "calls")
      }
    }
  })

/**
 * The graph of a deployment as a Mermaid flow chart.
 *
 * @category converting
 * @since 0.2.0
 */
export const toMermaid = (description: DeploymentDescription): string =>
  Graph.toMermaid(graph(description), {
    nodeLabel: (node) => labelOf(node).join("\n"),
    edgeLabel: () => "",
    nodeShape: (node) => node.kind === "external" ? "hexagon" : node.unit.expose ? "stadium" : "rectangle"
  })

/**
 * The graph of a deployment in DOT, the language of Graphviz.
 *
 * @category converting
 * @since 0.2.0
 */
export const toDot = (description: DeploymentDescription): string =>
  Graph.toGraphViz(graph(description), {
    graphName: description.name,
    nodeLabel: (node) => labelOf(node).join("\n"),
    edgeLabel: () => ""
  })

const labelOf = (node: GraphNode): ReadonlyArray<string> =>
  node.kind === "external"
    ? [node.name, "elsewhere"]
    : [node.name, node.unit.service, node.unit.url ?? replicasText(node.unit)]

/**
 * The graph of a deployment as plain data: nodes in the order in which they start, edges by the names of units, or by
 * the key of a service that is served elsewhere.
 *
 * @category models
 * @since 0.2.0
 */
export interface GraphData {
  readonly name: string
  readonly nodes: ReadonlyArray<
    { readonly name: string; readonly kind: GraphNode["kind"]; readonly service: string; readonly url?: string }
  >
  readonly edges: ReadonlyArray<{ readonly from: string; readonly to: string }>
}

/**
 * The graph of a deployment as plain data, for JSON.
 *
 * @category converting
 * @since 0.2.0
 */
export const toData = (description: DeploymentDescription): GraphData => {
  const { externals, units } = { units: description.units, externals: outsideOf(description) }
  return {
    name: description.name,
    nodes: [
      ...units.map(({ name, service, url }) => ({
        name,
        kind: "unit" as const,
        service,
        ...(url === undefined ? {} : { url })
      })),
      ...externals.map((name) => ({ name, kind: "external" as const, service: name }))
    ],
    edges: units.flatMap(({ dependsOn, external, name }) =>
      [...dependsOn, ...external].map((to) => ({ from: name, to }))
    )
  }
}

const outsideOf = ({ units }: DeploymentDescription) => Array.from(new Set(units.flatMap(({ external }) => external)))

/** Units that need each other, each cycle by the names along it; one of each group of units that reach each other. */
export const cycles = (description: DeploymentDescription): ReadonlyArray<ReadonlyArray<string>> => {
  const calls = graph(description)
  return Graph.stronglyConnectedComponents(calls).flatMap((component) => {
    const within = Graph.findCycle(Graph.inducedSubgraph(calls, component))
    return Option.isNone(within) ? [] : [within.value.path.map((index) => nameAt(calls, index))]
  })
}

const nameAt = (calls: Graph.DirectedGraph<GraphNode, "calls">, index: Graph.NodeIndex): string =>
  Option.match(Graph.getNode(calls, index), { onNone: () => String(index), onSome: ({ name }) => name })

/** How many replicas a unit has, or between how many it scales. */
export const replicasText = ({ replicas, resources, scaling }: UnitDescription): string => {
  const range = scaling === undefined ? resources.replicas : { min: scaling.minReplicas, max: scaling.maxReplicas }
  if (typeof range === "object") return `${range.min} to ${range.max} replicas`
  return replicas === 1 ? "1 replica" : `${replicas} replicas`
}
