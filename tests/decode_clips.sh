#!/bin/bash
# Clips for checkdecode, made by the ffmpeg program: H.264 and HEVC, 8 and 10 bits, odd sizes, fields, key
# frames that refer ahead, a cut and a damaged file. "hurt" are those that must be refused.
#
#   tests/decode_clips.sh FOLDER
set -euo pipefail

mkdir -p "$1"
cd "$1"

make() { # NAME SIZE FRAMES CODEC [ARGUMENT...]
    local name=$1 size=$2 frames=$3 codec=$4
    shift 4
    ffmpeg -v error -nostdin -y -f lavfi -i "testsrc2=s=$size:r=25,noise=c0s=9:c1s=9:c2s=9:allf=t" -frames:v "$frames" \
        -c:v "$codec" "$@" "$name"
}

x265=(-x265-params log-level=none:keyint=40 -preset fast)
make h264.mp4 640x360 100 libx264 -pix_fmt yuv420p -g 40 -bf 3
make h264_cavlc.mp4 320x240 50 libx264 -pix_fmt yuv420p -x264-params cabac=0:8x8dct=0
make h264_open.mkv 320x240 100 libx264 -pix_fmt yuv420p -x264-params keyint=25:open-gop=1
make h264_odd.mp4 322x182 50 libx264 -pix_fmt yuv420p
make h264_fields.mp4 720x576 50 libx264 -pix_fmt yuv420p -flags +ilme+ildct -x264-params tff=1
make h264_full.mp4 320x240 50 libx264 -pix_fmt yuvj420p
make h264_ten.mp4 320x240 25 libx264 -pix_fmt yuv420p10le # for the processor
make h264_444.mp4 320x240 25 libx264 -pix_fmt yuv444p     # likewise
make hevc.mp4 640x360 100 libx265 -pix_fmt yuv420p "${x265[@]}"
make hevc_ten.mp4 640x360 100 libx265 -pix_fmt yuv420p10le "${x265[@]}"
make hevc_odd.mkv 322x182 50 libx265 -pix_fmt yuv420p10le "${x265[@]}"
make h264_1080.mp4 1920x1080 150 libx264 -pix_fmt yuv420p -preset veryfast -crf 30
make hevc_1080.mp4 1920x1080 75 libx265 -pix_fmt yuv420p10le "${x265[@]}" -crf 34
ffmpeg -v error -nostdin -y -i h264.mp4 -c copy -movflags +faststart front.mp4
head -c 60000 front.mp4 >hurt_cut.mp4
ffmpeg -v error -nostdin -y -i h264.mp4 -c copy -bsf:v 'noise=drop=not(mod(n+1\,31))' hurt_lost.mp4
rm front.mp4
