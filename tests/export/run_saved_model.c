/* Runs a SavedModel through TensorFlow's C API: the loader of TensorFlow Serving, without Python.
 *
 *   run_saved_model DIR  in NAME TYPE DIMS FILE ...  out NAME FILE ...
 *
 * NAME is a tensor of the graph (serving_default_tokens:0), TYPE int32, float32 or string, DIMS the shape as 2,3.
 * Files of numbers are raw, in row-major order; files of strings hold one per line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"

#define MOST 16
#define RANK 8

static void fail(const char* what, const char* why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(1);
}

static void require(const TF_Status* status, const char* what) {
  if (TF_GetCode(status) != TF_OK) fail(what, TF_Message(status));
}

static char* read_file(const char* path, size_t* size) {
  FILE* file = fopen(path, "rb");
  if (!file) fail(path, "cannot be read");
  fseek(file, 0, SEEK_END);
  *size = (size_t)ftell(file);
  rewind(file);
  char* data = malloc(*size + 1);
  if (!data || fread(data, 1, *size, file) != *size) fail(path, "was not read whole");
  data[*size] = 0;
  fclose(file);
  return data;
}

static TF_Output output(TF_Graph* graph, const char* name) {
  char operation[1024];
  const char* colon = strrchr(name, ':');
  if (!colon || colon - name >= (long)sizeof operation) fail(name, "is not operation:index");
  memcpy(operation, name, (size_t)(colon - name));
  operation[colon - name] = 0;
  TF_Output out = {TF_GraphOperationByName(graph, operation), atoi(colon + 1)};
  if (!out.oper) fail(name, "is not in the graph");
  return out;
}

static TF_Tensor* read_tensor(const char* type, const char* shape, const char* path) {
  int64_t dims[RANK], count = 1;
  int rank = 0;
  for (const char* s = shape; s && rank < RANK; s = strchr(s, ',') ? strchr(s, ',') + 1 : NULL) {
    dims[rank] = atoll(s);
    count *= dims[rank++];
  }
  size_t size;
  char* data = read_file(path, &size);
  TF_Tensor* tensor;
  if (strcmp(type, "string")) {
    TF_DataType dtype = strcmp(type, "int32") ? TF_FLOAT : TF_INT32;
    if (size != (size_t)count * TF_DataTypeSize(dtype)) fail(path, "has not the size of its shape");
    tensor = TF_AllocateTensor(dtype, dims, rank, size);
    memcpy(TF_TensorData(tensor), data, size);
  } else {
    tensor = TF_AllocateTensor(TF_STRING, dims, rank, (size_t)count * sizeof(TF_TString));
    TF_TString* strings = TF_TensorData(tensor);
    char* line = data;
    for (int64_t i = 0; i < count; i++) {
      size_t length = strcspn(line, "\n");
      TF_TString_Init(&strings[i]);
      TF_TString_Copy(&strings[i], line, length);
      line += length + (line[length] == '\n');
    }
  }
  free(data);
  return tensor;
}

static void write_tensor(const TF_Tensor* tensor, const char* path) {
  FILE* file = fopen(path, "wb");
  if (!file) fail(path, "cannot be written");
  if (TF_TensorType(tensor) == TF_STRING) {
    const TF_TString* strings = TF_TensorData(tensor);
    for (int64_t i = 0; i < TF_TensorElementCount(tensor); i++)
      fprintf(file, "%.*s\n", (int)TF_TString_GetSize(&strings[i]), TF_TString_GetDataPointer(&strings[i]));
  } else {
    fwrite(TF_TensorData(tensor), 1, TF_TensorByteSize(tensor), file);
  }
  fclose(file);
}

static void require_no_python(void) {
  size_t size = 0;
  char line[4096];
  FILE* maps = fopen("/proc/self/maps", "r");
  while (maps && fgets(line, sizeof line, maps)) {
    if (strstr(line, "libpython")) fail("this process", "has loaded Python");
    size++;
  }
  if (maps) fclose(maps);
  printf("%zu mappings, no Python\n", size);
}

int main(int argc, char** argv) {
  if (argc < 2) fail(argv[0], "DIR  in NAME TYPE DIMS FILE ...  out NAME FILE ...");
  TF_Status* status = TF_NewStatus();
  TF_Graph* graph = TF_NewGraph();
  TF_SessionOptions* options = TF_NewSessionOptions();
  const char* tags[] = {"serve"};
  TF_Session* session = TF_LoadSessionFromSavedModel(options, NULL, argv[1], tags, 1, graph, NULL, status);
  require(status, "load");

  TF_Output inputs[MOST], outputs[MOST];
  TF_Tensor *fed[MOST], *fetched[MOST];
  const char* files[MOST];
  int n_in = 0, n_out = 0;
  for (int i = 2; i < argc;) {
    if (!strcmp(argv[i], "in") && i + 4 < argc && n_in < MOST) {
      inputs[n_in] = output(graph, argv[i + 1]);
      fed[n_in++] = read_tensor(argv[i + 2], argv[i + 3], argv[i + 4]);
      i += 5;
    } else if (!strcmp(argv[i], "out") && i + 2 < argc && n_out < MOST) {
      outputs[n_out] = output(graph, argv[i + 1]);
      files[n_out++] = argv[i + 2];
      i += 3;
    } else {
      fail(argv[i], "is not understood");
    }
  }
  TF_SessionRun(session, NULL, inputs, fed, n_in, outputs, fetched, n_out, NULL, 0, NULL, status);
  require(status, "run");
  for (int i = 0; i < n_out; i++) write_tensor(fetched[i], files[i]);
  require_no_python();
  TF_CloseSession(session, status);
  TF_DeleteSession(session, status);
  return 0;
}
