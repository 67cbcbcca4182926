// node validate.mjs METADATA.xml METADATA.json: exits with 0 if both documents are CSDL and say the same.
import { parse } from "@sap-ux/edmx-parser";
import Ajv from "ajv";
import { xml2json } from "odata-csdl";
import { validateXML } from "xmllint-wasm";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const read = (file) => readFileSync(file, "utf8");
const schema = (name) => read(new URL(`node_modules/odata-csdl/schemas/${name}`, import.meta.url));
const [xml, json] = process.argv.slice(2).map(read);

const { valid, errors } = await validateXML({
  xml: [{ fileName: "metadata.xml", contents: xml }],
  schema: [{ fileName: "edmx.xsd", contents: schema("edmx.xsd") }],
  preload: [{ fileName: "edm.xsd", contents: schema("edm.xsd") }],
});
assert.ok(valid, `not CSDL XML: ${JSON.stringify(errors)}`);

const csdl = JSON.parse(json);
const check = new Ajv({ strict: false, allErrors: true }).compile(JSON.parse(schema("csdl.schema.json")));
assert.ok(check(csdl), `not CSDL JSON: ${JSON.stringify(check.errors)}`);
assert.deepEqual(csdl, xml2json(xml), "the two documents say the same");

const { version, schema: model } = parse(xml);
assert.equal(version, "4.0");
const type = model.complexTypes.find((type) => type.name === "InOrgIPStats");
assert.equal(type.fullyQualifiedName, "microsoft.windowsDefenderATP.api.InOrgIPStats");
const properties = type.properties.map(({ name, type }) => `${name}: ${type}`);
console.log(properties.join("\n"));
const [stats] = model.actions.filter((action) => action.name === "stats");
assert.ok(stats.isFunction && stats.isBound);
assert.equal(stats.returnType, type.fullyQualifiedName);
