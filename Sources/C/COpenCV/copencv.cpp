#include "copencv.h"

#include <algorithm>
#include <opencv2/imgproc.hpp>
#include <opencv2/objdetect.hpp>
#include <vector>

struct copencv_detector {
    cv::CascadeClassifier cascade;
    cv::Mat level;
};

// No exception may reach Swift: each function catches all.

copencv_detector *copencv_detector_make(const char *cascade_path) {
    try {
        // The caller runs on a pool of workers of its own.
        cv::setNumThreads(1);
        auto *detector = new copencv_detector;
        if (detector->cascade.load(cascade_path)) return detector;
        delete detector;
    } catch (...) {
    }
    return nullptr;
}

void copencv_detector_free(copencv_detector *detector) { delete detector; }

int copencv_find(copencv_detector *detector, const uint8_t *grey, int width, int height, int stride, int side_min,
                 copencv_box *boxes, int room) {
    try {
        const cv::Mat picture(height, width, CV_8UC1, const_cast<uint8_t *>(grey), static_cast<size_t>(stride));
        cv::equalizeHist(picture, detector->level);
        std::vector<cv::Rect> faces;
        detector->cascade.detectMultiScale(detector->level, faces, 1.2, 4, 0, cv::Size(side_min, side_min));
        const int count = std::min(static_cast<int>(faces.size()), room);
        for (int i = 0; i < count; i++) boxes[i] = {faces[i].x, faces[i].y, faces[i].width, faces[i].height};
        return count;
    } catch (...) {
        return -1;
    }
}
