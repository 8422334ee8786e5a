import { holdToLaws } from "./holdToLaws.ts"
import { httpReplicas } from "./locations.ts"

holdToLaws("a service over HTTP with three replicas", httpReplicas)
