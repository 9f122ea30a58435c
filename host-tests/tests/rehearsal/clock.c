/* The clock of the processes that this library is loaded into with LD_PRELOAD. The file that CLOCK names has `+N`, N microseconds to add to
   the real time, N negative for a clock that is slow; or `=N`, for a clock that stands at N microseconds since 1970. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
    struct timespec real;
    char text[64];
    long long time;
    ssize_t length = 0;
    int file = open(getenv("CLOCK"), O_RDONLY | O_CLOEXEC);

    clock_gettime(CLOCK_REALTIME, &real);
    time = real.tv_sec * 1000000LL + real.tv_nsec / 1000;
    if (file >= 0) {
        length = read(file, text, sizeof text - 1);
        close(file);
    }
    if (length <= 1)
        return time;
    text[length] = '\0';
    return atoll(text + 1) + (text[0] == '=' ? 0 : time);
}

int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
    long long present = now();

    (void)zone;
    time->tv_sec = present / 1000000;
    time->tv_usec = present % 1000000;
    return 0;
}

time_t time(time_t *seconds)
{
    time_t present = now() / 1000000;

    if (seconds)
        *seconds = present;
    return present;
}
