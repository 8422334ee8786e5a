import { holdToLaws } from "./holdToLaws.ts"
import { tcp } from "./locations.ts"

holdToLaws("a service over TCP", tcp)
