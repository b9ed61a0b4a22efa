// Prints golden.tsv: frames as Kafka's own classes write them, and what is in them.
//
//   java -cp kafka-clients-3.9.0.jar:slf4j-api.jar GoldenFrames.java > golden.tsv
//
// with the jars of org.apache.kafka:kafka-clients:3.9.0 and org.slf4j:slf4j-api:1.7. Nothing is
// drawn from a clock: the output is the same every time. Its lines, with tabs between:
//
//   api       key  name    lowest version  highest version  first flexible version
//   error     number  name  retry | give-up
//   request   full | bare  key  version  frame in hex, with its length  the body as text
//   response  full | bare  key  version  frame in hex, with its length  the body as text

import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.message.ResponseHeaderData;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Field;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.record.BaseRecords;
import org.apache.kafka.common.record.MemoryRecords;

public class GoldenFrames {
  // The versions that our codec has: key -> {lowest, highest}.
  static final Map<Integer, int[]> VERSIONS =
      new TreeMap<>(
          Map.ofEntries(
              Map.entry(0, new int[] {0, 9}),
              Map.entry(1, new int[] {4, 13}),
              Map.entry(2, new int[] {0, 7}),
              Map.entry(3, new int[] {0, 12}),
              Map.entry(10, new int[] {0, 4}),
              Map.entry(18, new int[] {0, 3}),
              Map.entry(19, new int[] {0, 7}),
              Map.entry(20, new int[] {0, 6}),
              Map.entry(22, new int[] {0, 4}),
              Map.entry(23, new int[] {0, 4}),
              Map.entry(32, new int[] {0, 4}),
              Map.entry(33, new int[] {0, 2}),
              Map.entry(37, new int[] {0, 3}),
              Map.entry(43, new int[] {0, 2}),
              Map.entry(44, new int[] {0, 1}),
              Map.entry(60, new int[] {0, 1})));

  enum Filling {
    FULL, // Everything that the version has, tagged fields too.
    BARE // Null where it may be, tagged fields at their defaults.
  }

  static final java.lang.reflect.Field TAGS;

  static {
    try {
      TAGS = TaggedFields.class.getDeclaredField("fields");
      TAGS.setAccessible(true);
    } catch (ReflectiveOperationException e) {
      throw new AssertionError("this is not the Kafka that the program was written for", e);
    }
  }

  final Random random = new Random(20);
  final Filling filling;

  GoldenFrames(Filling filling) {
    this.filling = filling;
  }

  public static void main(String[] arguments) throws Exception {
    for (Errors error : Errors.values()) {
      boolean retry = error.exception() instanceof RetriableException;
      print("error", error.code(), error.name(), retry ? "retry" : "give-up");
    }
    for (int key : VERSIONS.keySet()) {
      ApiMessageType api = ApiMessageType.fromApiKey((short) key);
      short flexible = 0;
      while (api.requestHeaderVersion(flexible) < 2) {
        flexible++;
      }
      print("api", key, api.name, api.lowestSupportedVersion(), api.highestSupportedVersion(true),
          flexible);
    }
    for (Filling filling : Filling.values()) {
      new GoldenFrames(filling).printFrames();
    }
  }

  static void print(Object... columns) {
    System.out.println(
        Stream.of(columns).map(Object::toString).collect(Collectors.joining("\t")));
  }

  void printFrames() throws Exception {
    for (Map.Entry<Integer, int[]> entry : VERSIONS.entrySet()) {
      ApiMessageType api = ApiMessageType.fromApiKey(entry.getKey().shortValue());
      for (short version = (short) entry.getValue()[0]; version <= entry.getValue()[1]; version++) {
        RequestHeaderData header =
            new RequestHeaderData()
                .setRequestApiKey(api.apiKey())
                .setRequestApiVersion(version)
                .setCorrelationId(7)
                .setClientId(filling == Filling.FULL ? "golden" : null);
        printFrame("request", version, api, header, api.requestHeaderVersion(version),
            api.newRequest(), api.requestSchemas()[version]);
        printFrame("response", version, api, new ResponseHeaderData().setCorrelationId(7),
            api.responseHeaderVersion(version), api.newResponse(), api.responseSchemas()[version]);
      }
    }
  }

  void printFrame(String kind, short version, ApiMessageType api, Message header,
      short headerVersion, ApiMessage body, Schema schema) throws Exception {
    fill(body, schema);
    ByteBuffer head = MessageUtil.toByteBuffer(header, headerVersion);
    ByteBuffer rest = MessageUtil.toByteBuffer(body, version);
    ByteBuffer frame = ByteBuffer.allocate(4 + head.remaining() + rest.remaining());
    frame.putInt(head.remaining() + rest.remaining()).put(head).put(rest);
    print(kind, filling.name().toLowerCase(), api.apiKey(), version,
        HexFormat.of().formatHex(frame.array()), text(body, schema));
  }

  /** The fields of a version, tagged ones last. */
  @SuppressWarnings("unchecked")
  static List<Field> fields(Schema schema) throws ReflectiveOperationException {
    List<Field> fields = new ArrayList<>();
    List<Field> tagged = new ArrayList<>();
    for (BoundField bound : schema.fields()) {
      if (bound.def.type instanceof TaggedFields) {
        tagged.addAll(new TreeMap<>((Map<Integer, Field>) TAGS.get(bound.def.type)).values());
      } else {
        fields.add(bound.def);
      }
    }
    fields.addAll(tagged);
    return fields;
  }

  static boolean isTagged(Field field, Schema schema) {
    for (BoundField bound : schema.fields()) {
      if (bound.def == field) {
        return false;
      }
    }
    return true;
  }

  static String camelCase(String snakeCase) {
    StringBuilder name = new StringBuilder();
    for (String word : snakeCase.split("_")) {
      name.append(Character.toUpperCase(word.charAt(0))).append(word.substring(1));
    }
    return name.toString();
  }

  // --- Filling ---

  void fill(Object struct, Schema schema) throws Exception {
    for (Field field : fields(schema)) {
      if (filling == Filling.BARE && isTagged(field, schema)) {
        continue;
      }
      String setter = "set" + camelCase(field.name);
      for (Method method : struct.getClass().getMethods()) {
        if (method.getName().equals(setter)) {
          method.invoke(struct, value(method.getGenericParameterTypes()[0], field.type));
        }
      }
    }
  }

  @SuppressWarnings({"unchecked", "rawtypes"})
  Object value(Type type, org.apache.kafka.common.protocol.types.Type wire) throws Exception {
    if (filling == Filling.BARE && wire.isNullable()) {
      return null;
    }
    if (wire.isArray()) {
      // Either List<Element> or a collection class of Kafka's that extends one of Element.
      boolean isList = type instanceof ParameterizedType;
      Type generic = isList ? type : ((Class<?>) type).getGenericSuperclass();
      Type element = ((ParameterizedType) generic).getActualTypeArguments()[0];
      Collection elements =
          isList ? new ArrayList<>() : (Collection) create((Class<?>) type);
      int count = filling == Filling.FULL && random.nextInt(3) == 0 ? 2 : 1;
      for (int i = 0; i < count; i++) {
        elements.add(value(element, wire.arrayElementType().get()));
      }
      return elements;
    }
    if (type == String.class) {
      return text(random.nextInt(4));
    }
    if (type == Uuid.class) {
      return new Uuid(random.nextLong(), random.nextLong());
    }
    if (type == BaseRecords.class) {
      byte[] bytes = new byte[random.nextInt(12)];
      random.nextBytes(bytes);
      return MemoryRecords.readableRecords(ByteBuffer.wrap(bytes));
    }
    if (type == boolean.class) {
      return random.nextBoolean();
    }
    if (type == byte.class) {
      return (byte) random.nextInt();
    }
    if (type == short.class) {
      return (short) random.nextInt();
    }
    if (type == int.class || type == Integer.class) {
      return random.nextInt();
    }
    if (type == long.class || type == Long.class) {
      return random.nextLong();
    }
    Object struct = create((Class<?>) type);
    fill(struct, (Schema) wire);
    return struct;
  }

  static Object create(Class<?> type) throws Exception {
    return type.getDeclaredConstructor().newInstance();
  }

  String text(int length) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < length; i++) {
      text.append((char) ('a' + random.nextInt(26)));
    }
    return text.toString();
  }

  // --- Text ---

  static String text(Object value, Schema schema) throws Exception {
    List<String> fields = new ArrayList<>();
    for (Field field : fields(schema)) {
      String name = camelCase(field.name);
      String getterName = Character.toLowerCase(name.charAt(0)) + name.substring(1);
      Method getter = value.getClass().getMethod(getterName);
      fields.add(name + ": " + valueText(getter.invoke(value), field.type));
    }
    return "{" + String.join(", ", fields) + "}";
  }

  static String valueText(Object value, org.apache.kafka.common.protocol.types.Type wire)
      throws Exception {
    if (value == null) {
      return "null";
    }
    if (wire.isArray()) {
      List<String> elements = new ArrayList<>();
      for (Object element : (Collection<?>) value) {
        elements.add(valueText(element, wire.arrayElementType().get()));
      }
      return "[" + String.join(", ", elements) + "]";
    }
    if (value instanceof String) {
      return "\"" + value + "\"";
    }
    if (value instanceof BaseRecords) {
      return "<" + ((BaseRecords) value).sizeInBytes() + " bytes>";
    }
    return wire instanceof Schema ? text(value, (Schema) wire) : value.toString();
  }
}
