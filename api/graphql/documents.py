"""Documents as they are asked: text in, parsed, measured and validated operation out, once for each text.

Parsing and validating cost ten times what a small question costs to answer, so the result is kept, errors included, for a bounded
number of texts. Clients that want to profit send variables instead of writing values into the text.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    parse,
    specified_rules,
    validate,
)
from graphql.language import StringValueNode, Visitor, visit
from strawberry.extensions import SchemaExtension
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from api.graphql import limits
from api.graphql.limits import Cost, Limits
from api.graphql.plans import Plan
from record.refusals import InvalidInput, TooLarge

ERRORS_MAX: Final = 20
KEPT_TEXT_MAX: Final = 50_000


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a valid document."""

    text: str
    name: str | None
    kind: OperationType
    root_fields: int
    cost: Cost
    variable_defaults: Mapping[str, Any]
    document: DocumentNode
    field_names: frozenset[str]
    """Every field that the document names somewhere: what need not be read ahead is not in it."""
    plan: Plan

    @property
    def only_field(self) -> str | None:
        """The name of the one field that it asks for; None when it asks for several, or by fragments."""
        (first, *more) = self.plan.operation.selection_set.selections
        return first.name.value if isinstance(first, FieldNode) and not more else None


@dataclass(frozen=True, slots=True)
class Document:
    """A text as it was read: its operations by name, or what is wrong with it."""

    operations: Mapping[str | None, Operation]
    errors: tuple[GraphQLError, ...] = ()

    def operation(self, name: str | None) -> Operation:
        """The operation of this name; without a name, the only one."""
        if name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        found = self.operations.get(name) if name is not None else None
        if found is None:
            raise InvalidInput(
                "This document has several operations. Say in `operationName` which one is meant."
                if name is None
                else f"This document has no operation called {name[:80]!r}. Check `operationName`.",
                field="operationName",
            )
        return found


class Documents:
    """Reads documents against one schema; keeps the least recently forgotten."""

    def __init__(self, schema: GraphQLSchema, limits: Limits, *, kept_max: int, introspection: bool = True) -> None:
        self._schema = schema
        self._limits = limits
        self._kept_max = kept_max
        self._kept: OrderedDict[str, Document] = OrderedDict()
        self._hide_suggestions = not introspection
        self._rules = (
            *specified_rules,
            MaybeNullValidationRule,
            OneOfInputValidationRule,
            *(() if introspection else (NoSchemaIntrospectionCustomRule,)),
        )

    def __len__(self) -> int:
        return len(self._kept)

    def read(self, text: str) -> Document:
        """What this text says, or what is wrong with it."""
        document = self._kept.get(text)
        if document is not None:
            self._kept.move_to_end(text)
            return document
        try:
            document = self._read(text)
        except GraphQLError as error:
            document = Document({}, (error,))
        except RecursionError:
            document = Document({}, (GraphQLError("This document nests too deeply. Ask for less at a time."),))
        if len(text) <= KEPT_TEXT_MAX:
            self._kept[text] = document
            if len(self._kept) > self._kept_max:
                self._kept.popitem(last=False)
        return document

    def check_cost(self, operation: Operation, variables: Mapping[str, Any]) -> None:
        """Refuses an operation that asks for more nodes than one may."""
        if operation.cost.parts and operation.variable_defaults:
            variables = {**operation.variable_defaults, **variables}
        cost = operation.cost.at(variables, page_size=self._limits.page_size)
        if cost > self._limits.cost:
            raise TooLarge(
                f"This asks for up to {cost} nodes at a time, and {self._limits.cost} is the most. "
                "Ask for smaller pages (`first`) or select fewer lists."
            )

    def _read(self, text: str) -> Document:
        node = parse(text, max_lexical_tokens=self._limits.tokens, max_comments=self._limits.tokens)
        limits.check_shape(node, self._limits)
        visit(node, _Texts())
        errors = validate(
            self._schema, node, self._rules, max_errors=ERRORS_MAX, hide_suggestions=self._hide_suggestions
        )
        if errors:
            return Document({}, tuple(errors))
        found = [
            self._operation(text, node, each) for each in node.definitions if isinstance(each, OperationDefinitionNode)
        ]
        if not found:
            return Document(
                {}, (GraphQLError("This document has no operation. Send a query, mutation or subscription."),)
            )
        return Document({operation.name: operation for operation in found})

    def _operation(self, text: str, node: DocumentNode, definition: OperationDefinitionNode) -> Operation:
        defaults = {
            each.variable.name.value: int(each.default_value.value)  # type: ignore[union-attr]
            for each in definition.variable_definitions or ()
            if getattr(each.default_value, "kind", None) == "int_value"
        }
        met = _Met()
        visit(node, met)
        return Operation(
            text=text,
            name=definition.name.value if definition.name else None,
            kind=definition.operation,
            root_fields=limits.root_field_count(node, definition),
            cost=limits.cost_of(self._schema, node, definition, self._limits),
            variable_defaults=defaults,
            document=node,
            field_names=frozenset(met.field_names),
            plan=Plan.of(self._schema, node, definition, has_directives=met.directives),
        )


class _Met(Visitor):
    """Which fields a document names, and whether it has directives."""

    def __init__(self) -> None:
        super().__init__()
        self.field_names: set[str] = set()
        self.directives = False

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        self.field_names.add(node.name.value)

    def enter_directive(self, *_: Any) -> None:
        self.directives = True


class _Texts(Visitor):
    """Refuses NUL in texts that are written into a document: the database cannot keep it."""

    def enter_string_value(self, node: StringValueNode, *_: Any) -> None:
        if "\0" in node.value:
            raise GraphQLError("This text holds a NUL character, which databases cannot keep. Leave it out.", node)


class PreparedDocument(SchemaExtension):
    """Hands Strawberry the document that was read already, so that it is neither parsed nor validated again."""

    def on_parse(self) -> Any:
        self.execution_context.graphql_document = self.execution_context.context.operation.document
        yield

    def on_validate(self) -> Any:
        self.execution_context.pre_execution_errors = []
        yield
