#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "CProcess.h"

int cp_news_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int cp_news_add(int queue, int descriptor, uint32_t number) {
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = number};
  return epoll_ctl(queue, EPOLL_CTL_ADD, descriptor, &event) == 0 ? 0 : errno;
}

int cp_news_remove(int queue, int descriptor) {
  return epoll_ctl(queue, EPOLL_CTL_DEL, descriptor, NULL) == 0 ? 0 : errno;
}

int cp_news_take(int queue, uint32_t *numbers, int capacity) {
  struct epoll_event *events = calloc((size_t)capacity, sizeof *events);
  if (events == NULL) return -1;
  int count;
  do count = epoll_wait(queue, events, capacity, 0);
  while (count < 0 && errno == EINTR);
  for (int index = 0; index < count; index++) numbers[index] = events[index].data.u32;
  free(events);
  return count;
}
