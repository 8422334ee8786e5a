/** The units of a deployment and the services they call, as a graph. */
import { Graph, Option } from "effect"
import type { DeploymentDescription, UnitDescription } from "./Description.ts"
import { edgesOf, type Observation, type ObservedEdge, summaryOf, textOf } from "./observation.ts"

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
    const indexes = addNodes<GraphNode, "calls">(mutable, units)
    for (const { from, to } of edgesBetween(units)) addEdge(mutable, indexes.get(from), indexes.get(to), "calls")
  })

const addNodes = <Node, Edge>(mutable: Graph.MutableDirectedGraph<GraphNode | Node, Edge>, units: Units) => {
  const indexes = new Map<string, Graph.NodeIndex>()
  for (const unit of units) indexes.set(unit.name, Graph.addNode(mutable, { kind: "unit", name: unit.name, unit }))
  for (const name of outsideOf({ units })) indexes.set(name, Graph.addNode(mutable, { kind: "external", name }))
  return indexes
}

const addEdge = <Node, Edge>(
  mutable: Graph.MutableDirectedGraph<Node, Edge>,
  from: Graph.NodeIndex | undefined,
  to: Graph.NodeIndex | undefined,
  edge: Edge
) => {
  if (from !== undefined && to !== undefined) Graph.addEdge(mutable, from, to, edge)
}

type Units = DeploymentDescription["units"]

const edgesBetween = (units: Units): ReadonlyArray<{ readonly from: string; readonly to: string }> =>
  units.flatMap(({ dependsOn, external, name }) => [...dependsOn, ...external].map((to) => ({ from: name, to })))

/** What is drawn besides units and services: the requests, where they were observed. */
type DrawnNode = GraphNode | { readonly kind: "requests"; readonly name: string }

/** The graph with what was observed of each edge, as far as anything was; the requests are a node of their own. */
const drawn = ({ units }: DeploymentDescription, observation: Observation | undefined) =>
  Graph.directed<DrawnNode, string>((mutable) => {
    const indexes = addNodes<DrawnNode, string>(mutable, units)
    const text = (edge: ObservedEdge) => observation === undefined ? "" : textOf(edge, observation)
    for (const { from, observed, to } of edgesOf(edgesBetween(units), observation)) {
      addEdge(mutable, indexes.get(from), indexes.get(to), observed === undefined ? "" : text(observed))
    }
    if (observation === undefined) return
    const requests = Graph.addNode(mutable, { kind: "requests", name: summaryOf(observation) })
    for (const edge of observation.edges) {
      if (edge.from === undefined) addEdge(mutable, requests, indexes.get(edge.to), text(edge))
    }
  })

/**
 * The graph of a deployment as a Mermaid flow chart, with what was observed on its edges where that is given.
 *
 * @category converting
 * @since 0.2.0
 */
export const toMermaid = (description: DeploymentDescription, observation?: Observation): string =>
  Graph.toMermaid(drawn(description, observation), {
    nodeLabel: (node) => labelOf(node).join("\n"),
    edgeLabel: (label) => label,
    nodeShape: (node) => node.kind !== "unit" ? shapes[node.kind] : node.unit.expose ? "stadium" : "rectangle"
  })

const shapes = { external: "hexagon", requests: "circle" } as const

/**
 * The graph of a deployment in DOT, the language of Graphviz, with what was observed on its edges where that is given.
 *
 * @category converting
 * @since 0.2.0
 */
export const toDot = (description: DeploymentDescription, observation?: Observation): string =>
  Graph.toGraphViz(drawn(description, observation), {
    graphName: description.name,
    nodeLabel: (node) => labelOf(node).join("\n"),
    edgeLabel: (label) => label
  })

const labelOf = (node: DrawnNode): ReadonlyArray<string> => {
  if (node.kind === "requests") return [node.name]
  return node.kind === "external"
    ? [node.name, "elsewhere"]
    : [node.name, node.unit.service, node.unit.url ?? replicasText(node.unit)]
}

/**
 * The graph of a deployment as plain data: nodes in the order in which they start, edges by the names of units, or by
 * the key of a service that is served elsewhere. `observed` is there where anything was observed of an edge, and for the
 * graph as a whole.
 *
 * @category models
 * @since 0.2.0
 */
export interface GraphData {
  readonly name: string
  readonly nodes: ReadonlyArray<
    { readonly name: string; readonly kind: GraphNode["kind"]; readonly service: string; readonly url?: string }
  >
  readonly edges: ReadonlyArray<{ readonly from: string; readonly to: string; readonly observed?: ObservedEdge }>
  readonly observed?: Observation
}

/**
 * The graph of a deployment as plain data, for JSON.
 *
 * @category converting
 * @since 0.2.0
 */
export const toData = (description: DeploymentDescription, observation?: Observation): GraphData => {
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
    edges: edgesOf(edgesBetween(units), observation),
    ...(observation === undefined ? {} : { observed: observation })
  }
}

const outsideOf = ({ units }: Pick<DeploymentDescription, "units">) =>
  Array.from(new Set(units.flatMap(({ external }) => external)))

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
